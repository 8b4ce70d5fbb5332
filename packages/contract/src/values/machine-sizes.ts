/** What virtual nodes are made of, as values of their settings tell it: memory, disks. */

/** What a new disk holds. `hybrid-boot-v`, `-p`: what makes a node boot from it, and forget or keep what it wrote. */
export const DISK_TEMPLATES = ['none', 'ext4', 'fat32', 'hybrid-boot-v', 'hybrid-boot-p'] as const;
export type DiskTemplate = (typeof DISK_TEMPLATES)[number];

export interface DiskSpec {
  /** Bytes. */
  size: number;
  template: DiskTemplate;
}

export const MAX_DISKS = 8;
/** Bytes: where 32 bits for sectors end, of which a table of partitions has them. */
export const MAX_PARTITIONED = 2_000_000_000_000;
/** Bytes. */
const MAX_DISK = 1_000_000_000_000_000;

/** As vendors count: a thousand of one are one of the next. */
const DISK_UNITS = { G: 1_000_000_000, T: 1_000_000_000_000 } as const;
const DISK = /^([1-9]\d{0,5})([GT])(?:\[template=([a-z0-9-]{1,20})\])?$/;

/** As `32G,1T[template=ext4]`, or `none`. Undefined: it is no such value. */
export function parseDisks(value: string): DiskSpec[] | undefined {
  if (value === 'none') return [];
  const disks = value.split(',').map(parseDisk);
  return disks.length <= MAX_DISKS && disks.every((disk) => disk !== undefined) ? disks : undefined;
}

function parseDisk(text: string): DiskSpec | undefined {
  const [, count, unit, word = 'none'] = DISK.exec(text) ?? [];
  const template = DISK_TEMPLATES.find((one) => one === word);
  if (count === undefined || template === undefined) return undefined;
  const size = Number(count) * DISK_UNITS[unit as keyof typeof DISK_UNITS];
  return size <= (template === 'none' ? MAX_DISK : MAX_PARTITIONED) ? { size, template } : undefined;
}

const RAM = /^([1-9]\d{0,6})([MG])$/;
const MIN_RAM = 128;
const MAX_RAM = 1_048_576;

/** MiB, from `512M` or `4G`. Undefined: it is no such value. */
export function parseRam(value: string): number | undefined {
  const [, count, unit] = RAM.exec(value) ?? [];
  const size = Number(count) * (unit === 'G' ? 1024 : 1);
  return size >= MIN_RAM && size <= MAX_RAM ? size : undefined;
}
