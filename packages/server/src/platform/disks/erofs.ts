/** EROFS file systems in files. Alone knows mkfs.erofs and fsck.erofs. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, streamProgram } from '../programs/index.ts';
import { incompressibleFiles } from './incompressible.ts';

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

/** An extended regular expression without blanks, which matches the path. */
function patternOf(path: string): string {
  return path.replace(/[^A-Za-z0-9_/-]/gu, '[^/]+');
}
