/** Disks in sparse files, with one partition. Alone knows mkfs.vfat, and shares mkfs.ext4 with `disk-image.ts`. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publishFile } from '../files.ts';
import { run } from '../programs/index.ts';

/** Bytes. */
const SECTOR = 512;
/** Where the partition begins: 1 MiB, as all tools have it. */
const FIRST_SECTOR = 2048;

export interface DiskContent {
  /** Bytes, whole sectors. With a file system, so many that 32 bits count the sectors. */
  size: number;
  /** Of the only partition; none: no partition, all is zero. */
  fileSystem?: 'ext4' | 'fat32';
  /** Puts into a folder what an ext4 gets. */
  fill?: (folder: string) => Promise<void>;
}

/** Makes a disk in the file `path`, whole or not at all; it takes what is used of it. Throws ExternalError, and EFBIG, ENOSPC. */
export async function makeDisk(path: string, content: DiskContent): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await using file = await open(temporary, 'wx', 0o600);
    await file.truncate(content.size);
    if (content.fileSystem !== undefined) {
      await file.write(partitionTable(content.size / SECTOR, content.fileSystem, randomBytes(4)));
      await makeFileSystem(temporary, content);
    }
    await publishFile(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function makeFileSystem(file: string, { size, fileSystem, fill }: DiskContent): Promise<void> {
  const kibibytes = Math.floor((size - FIRST_SECTOR * SECTOR) / 1024);
  if (fileSystem === 'fat32') {
    await run([
      'mkfs.vfat',
      '-F',
      '32',
      '-S',
      String(SECTOR),
      `--offset=${FIRST_SECTOR}`,
      file,
      String(kibibytes),
    ]);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'walt-disk-'));
  try {
    await fill?.(folder);
    // Blocks that nothing lies in stay holes: the guest writes tables and journal when it needs them.
    const sparse = 'nodiscard,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0';
    const place = `offset=${FIRST_SECTOR * SECTOR}`;
    await run(['mkfs.ext4', '-q', '-F', '-E', `${sparse},${place}`, '-d', folder, file, `${kibibytes}k`]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const TYPES = { ext4: 0x83, fat32: 0x0c } as const;
/** Cylinder, head and sector of what these numbers do not reach. */
const BEYOND = [0xfe, 0xff, 0xff];

/** The first sector of a disk: a table with one partition, up to the end (UEFI specification 2.10, section 5.2.1). */
export function partitionTable(
  sectors: number,
  fileSystem: keyof typeof TYPES,
  signature: Uint8Array,
): Buffer {
  const table = Buffer.alloc(SECTOR);
  table.set(signature.subarray(0, 4), 440);
  table.set([0, ...BEYOND, TYPES[fileSystem], ...BEYOND], 446);
  table.writeUInt32LE(FIRST_SECTOR, 454);
  table.writeUInt32LE(sectors - FIRST_SECTOR, 458);
  table.set([0x55, 0xaa], 510);
  return table;
}
