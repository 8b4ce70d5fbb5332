/**
 * The first root of a node, in three archives that the kernel unpacks one after the other: `init` (busybox and our own
 * scripts: one per architecture, renewed with the server), `modules` (of one image's kernel), and what only this node
 * must know. So an upgrade of the server reaches every image without opening any, and a booting node asks for nothing twice.
 */
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { AdapterSet } from '../../models/index.ts';
import { projectFile } from '../../platform/index.ts';
import { type ProvenVolume, verityRequest } from '../binaries/index.ts';
import { type CpioEntry, cpioArchive } from './cpio.ts';
import type { Range } from './reads.ts';

/** Every kernel that distributions ship unpacks gzip. Its level 9 takes ten times as long and saves 1 %. */
const compress = promisify(gzip);

const folders = [
  'bin',
  'dev',
  'etc',
  'lib',
  'lib/modules',
  'proc',
  'sys',
  'layers',
  'disk',
  'rw',
  'volumes',
  'image',
  'persist',
  'trace',
];

/** Programs that there are for some CPUs only. */
interface Calls {
  /** Makes the calls of kexec. */
  kexecCall?: Uint8Array | undefined;
  /** Makes devices of device-mapper. */
  dmCall?: Uint8Array | undefined;
}

/** The archive with busybox, init, agent, and what sends logs. */
export async function initArchive(busybox: Uint8Array, calls: Calls = {}): Promise<Buffer> {
  const { kexecCall, dmCall } = calls;
  const program = (path: string, content: Uint8Array): CpioEntry => ({
    ...{ path, type: 'file', mode: 0o755, content },
  });
  const script = async (name: string, mode: number): Promise<CpioEntry> => ({
    path: name,
    type: 'file',
    mode,
    content: await readFile(projectFile(`packages/node/initramfs/${name}`)),
  });
  return await compress(
    cpioArchive([
      ...folders.map((path): CpioEntry => ({ path, type: 'folder', mode: 0o755 })),
      // The kernel opens it for the standard streams of init before anything is mounted.
      { path: 'dev/console', type: 'device', mode: 0o600, major: 5, minor: 1 },
      program('bin/busybox', busybox),
      { path: 'bin/sh', type: 'link', target: 'busybox' },
      await script('init', 0o755),
      await script('walt-agent', 0o755),
      await script('walt-log-spool', 0o755),
      await script('walt-log-sender', 0o755),
      await script('hybrid', 0o644),
      await script('persist-beside', 0o644),
      await script('modprobe', 0o755),
      ...(kexecCall ? [await script('kexec', 0o644), program('kexec-call', kexecCall)] : []),
      ...(dmCall ? [await script('verity', 0o644), program('dm-call', dmCall)] : []),
    ]),
  );
}

/**
 * The archive with a node's bootstrap document, what it reads ahead, what proves its volumes, and its identity layer as the folder
 * `identity`.
 */
export async function nodeArchive(
  bootstrap: string,
  reads: readonly [volume: string, ...Range][],
  proofs: readonly ProvenVolume[],
  identity: readonly CpioEntry[],
): Promise<Buffer> {
  const readAhead = reads.map(([volume, start, length]) => `${volume} ${start} ${length}\n`).join('');
  return await compress(
    cpioArchive([
      { path: 'bootstrap', type: 'file', mode: 0o600, content: Buffer.from(bootstrap) },
      { path: 'reads', type: 'file', mode: 0o600, content: Buffer.from(readAhead) },
      ...(proofs.length > 0 ? [{ path: 'proofs', type: 'folder', mode: 0o755 } as const] : []),
      // init makes a link of the second name, to the device that it has mounted the volume's file as.
      ...proofs.map((volume): CpioEntry => {
        const path = `proofs/${volume.name}`;
        return { path, type: 'file', mode: 0o600, content: verityRequest(volume, `/${path}.device`) };
      }),
      { path: 'identity', type: 'folder', mode: 0o755 },
      ...identity.map((entry) => ({ ...entry, path: `identity/${entry.path}` })),
    ]),
  );
}

/** File of an image's archive of modules for machines with such adapters. */
export function archiveName({ name }: AdapterSet): string {
  return `modules-${name}`;
}

/** File of an image's archive of modules for the disks of such machines. */
export function diskArchiveName({ name }: AdapterSet): string {
  return `disks-${name}`;
}

/** One module as it goes into the archive. */
export interface PackedModule {
  name: string;
  needs: readonly string[];
  content: Uint8Array;
}

export interface ModuleSet {
  release: string;
  modules: readonly PackedModule[];
  /** Their content is packed by xz: each is unpacked on the node, if at all. */
  isPacked?: boolean;
  /** Names to load before anything else, in this order: for network and volumes. */
  quick: readonly string[];
  /** Names to load meanwhile, in this order: for NFS. */
  slow: readonly string[];
  /** Names to load once the root is there, in this order: for swap. */
  late: readonly string[];
  /** Device patterns of the modules that are loaded only where their device is. */
  aliases: readonly { pattern: string; name: string }[];
  /** Files below `/lib/firmware`. */
  firmware?: readonly { name: string; content: Uint8Array }[];
}

/**
 * The archive with a kernel's modules, and the indexes that busybox's modprobe reads. One modprobe that is given all
 * names costs one process start, which is what an emulated CPU is slow at; an insmod each would cost as many as modules.
 * The two lists let a node with two CPUs load NFS (1 s under TCG) while it gets its network and all else that it needs.
 */
export async function moduleArchive(set: ModuleSet): Promise<Buffer> {
  return await compress(
    cpioArchive([
      ...moduleEntries(set, 'modules'),
      text('etc/quick-modules', [set.quick.join(' ')]),
      text('etc/slow-modules', [set.slow.join(' ')]),
      text('etc/late-modules', [set.late.join(' ')]),
      ...(set.isPacked ? [text('etc/packed-modules', [])] : []),
      ...firmwareEntries(set.firmware ?? []),
    ]),
  );
}

/** Comes behind the other, whose indexes init makes longer by these. */
export async function diskArchive(set: Omit<ModuleSet, 'slow' | 'late' | 'firmware'>): Promise<Buffer> {
  return await compress(
    cpioArchive([...moduleEntries(set, 'disks'), text('etc/disk-modules', [set.quick.join(' ')])]),
  );
}

/** Modules, and the indexes of them as `NAME.dep` and `NAME.alias`. */
function moduleEntries(
  { release, modules, isPacked, aliases }: Pick<ModuleSet, 'release' | 'modules' | 'isPacked' | 'aliases'>,
  name: string,
): CpioEntry[] {
  const folder = `lib/modules/${release}`;
  return [
    { path: folder, type: 'folder', mode: 0o755 },
    ...modules.map(
      ({ name, content }): CpioEntry => ({
        path: `${folder}/${name}.ko${isPacked ? '.xz' : ''}`,
        type: 'file',
        mode: 0o644,
        content,
      }),
    ),
    text(
      `${folder}/${name}.dep`,
      modules.map(({ name, needs }) => `${name}.ko:${needs.map((need) => ` ${need}.ko`).join('')}`),
    ),
    text(
      `${folder}/${name}.alias`,
      aliases.map(({ pattern, name }) => `alias ${pattern} ${name}`),
    ),
  ];
}

function text(path: string, lines: readonly string[]): CpioEntry {
  return {
    path,
    type: 'file',
    mode: 0o644,
    content: Buffer.from(lines.map((line) => `${line}\n`).join('')),
  };
}

function firmwareEntries(files: NonNullable<ModuleSet['firmware']>): CpioEntry[] {
  const folders = new Set(
    files.flatMap(({ name }) => {
      const parts = `lib/firmware/${name}`.split('/');
      return parts.slice(2).map((_, index) => parts.slice(0, index + 2).join('/'));
    }),
  );
  return [
    ...[...folders].sort().map((path): CpioEntry => ({ path, type: 'folder', mode: 0o755 })),
    ...files.map(
      ({ name, content }): CpioEntry => ({
        path: `lib/firmware/${name}`,
        type: 'file',
        mode: 0o644,
        content,
      }),
    ),
  ];
}
