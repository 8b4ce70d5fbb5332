/** EROFS file systems in files. Alone knows mkfs.erofs and fsck.erofs. */
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, deflateRawSync } from 'node:zlib';
import { attempt, run, streamProgram } from '../programs/index.ts';

/** Equal content gives an equal file, wherever it is made. */
const NO_UUID = '00000000-0000-0000-0000-000000000000';

/**
 * `lz4hc` costs a node no more than `lz4` (the kernel reads lz4 volumes since 5.4) and moves 8 % less. From level 4 to 12 a volume
 * shrinks by one more percent, and takes six times as long.
 */
const COMPRESSION = '-zlz4hc,4';

/**
 * mkfs.erofs takes this as the volume's own time, and lowers later times of files to it. Being far ahead (year 2100), it keeps
 * every file's time: `-T` would replace them all, and Python then compiles its modules at each start.
 */
const SOURCE_DATE_EPOCH = '4102444800';

/** What becomes of owners and times: `kept` as in the folder, or all `root`'s and of 1970. */
export type Attributes = 'kept' | 'root';

interface Variant {
  /** The only entry of the folder that is packed; default: all are. */
  only?: string;
  /** Default: none. */
  uuid?: string;
  /**
   * Told how many bytes of files are read: about as many as are packed, though mkfs.erofs 1.5 reads up to half as many again of what
   * hardly gets smaller.
   */
  onBytes?: (bytes: number) => void;
  /** Milliseconds between two words of `onBytes`. Default: 250. */
  lookMs?: number | undefined;
}

/** Whether it is one, as far as that can be told: there are checksums of its head alone, but what is packed must unpack. */
export async function isSoundErofs(path: string): Promise<boolean> {
  return (await attempt(['fsck.erofs', '--extract', '--', path])).status === 0;
}

/** Packs a folder into the file `path`. Whiteouts, opaque marks, capabilities and hard links are kept. */
export async function makeErofs(
  folder: string,
  path: string,
  attributes: Attributes,
  { only, uuid = NO_UUID, onBytes, lookMs = 250 }: Variant = {},
): Promise<void> {
  const others = only === undefined ? [] : (await readdir(folder)).filter((name) => name !== only);
  const excluded = others.map((name) => `--exclude-path=${name}`);
  const common = ['mkfs.erofs', '--quiet', COMPRESSION, '-U', uuid, ...excluded];
  const env = attributes === 'kept' ? { SOURCE_DATE_EPOCH } : {};
  const pack = (...hints: string[]) =>
    watched([...common, ...hints, ...(attributes === 'kept' ? [] : ['-T0', '--all-root']), path, folder], {
      ...{ env, onBytes, lookMs },
    });
  const files = await incompressibleFiles(folder, only);
  if (files.length === 0) return void (await pack());
  const hints = await mkdtemp(join(tmpdir(), 'walt-erofs-'));
  try {
    const file = join(hints, 'hints');
    await writeFile(file, files.map((name) => `0 ^${patternOf(name)}$\n`).join(''));
    await pack(`--compress-hints=${file}`);
  } finally {
    await rm(hints, { recursive: true });
  }
}

/** It tells nothing while it works, but the kernel counts what it reads (proc_pid_io(5)). */
async function watched(
  argv: readonly string[],
  { env, onBytes, lookMs }: { env: Record<string, string>; onBytes: Variant['onBytes']; lookMs: number },
): Promise<void> {
  const program = streamProgram(argv, { env });
  const look = async () => {
    const io = await readFile(`/proc/${program.pid}/io`, 'utf8').catch(() => '');
    const read = Number(/^rchar: (\d+)$/m.exec(io)?.[1] ?? 0);
    // A look may end after the program.
    if (read > 0 && !isOver) onBytes?.(read);
  };
  let isOver = false;
  const looking = onBytes && setInterval(() => void look(), lookMs);
  try {
    program.stdout.resume();
    await program.ended;
  } finally {
    isOver = true;
    clearInterval(looking);
  }
}

/** In KiB. To look at a file takes a millisecond: 0.3 s of 3.5 for the default image's 325 files of that size. */
const LOOK_SIZE = 128;
/** How many samples are taken of a file, and their size in bytes: large files are few, and may change on the way. */
const SAMPLES = 4;
const SAMPLE = 4 * 1024;
const LARGE_SAMPLE = 16 * 1024;
const LARGE = 1024 * 1024;
/** What is left of data that is worth compressing, at most. */
const WORTH = 0.97;

/**
 * Files that lz4 would not make smaller, as paths below the folder: mkfs.erofs 1.5 tries for a minute with 150 MB of them, and they
 * are not smaller then. Told by samples, always the same ones: equal content gives an equal volume.
 */
export async function incompressibleFiles(folder: string, only = ''): Promise<string[]> {
  const large = ['-type', 'f', '-size', `+${LOOK_SIZE - 1}k`, '-printf', '%P\\0'];
  const found = (await run(['find', join(folder, only), '-xdev', ...large])).split('\0');
  const listed = found.map((name) => (name === '' ? '' : join(only, name)));
  // A name that is no UTF-8 cannot be opened by what came through: such a file is compressed, whatever it holds.
  const names = listed.filter((name) => name !== '' && !name.includes('\uFFFD'));
  const incompressible: string[] = [];
  for (const name of names) if (await isIncompressible(join(folder, name))) incompressible.push(name);
  return incompressible;
}

async function isIncompressible(path: string): Promise<boolean> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const length = size < LARGE ? SAMPLE : LARGE_SAMPLE;
  const samples = Buffer.alloc(length * SAMPLES);
  for (let at = 0; at < SAMPLES; at += 1) {
    const start = Math.floor(((size - length) * at) / (SAMPLES - 1));
    await file.read(samples, at * length, length, start);
  }
  // Like lz4, it then gains by repetitions alone.
  const left = deflateRawSync(samples, { level: 1, strategy: constants.Z_FIXED }).length;
  return left > samples.length * WORTH;
}

/** An extended regular expression without blanks, which matches the path. */
function patternOf(path: string): string {
  return path.replace(/[^A-Za-z0-9_/-]/gu, '[^/]+');
}
