import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import { run, streamProgram, UserError } from '../../platform/index.ts';
import { tooLarge } from '../../trees/index.ts';

/** Largest dictionary of an xz file that is taken: the kernel's own modules have 2 MiB (`xz --memlimit`). */
const XZ_MEMORY = '128MiB';

/**
 * Unpacks the bytes of a kernel module, packed as the suffix of `path` says. Throws UserError INVALID when they cannot be unpacked,
 * or become more than `limit` bytes: then they are not held, either.
 */
export async function unpackModule(bytes: Buffer, path: string, limit: number): Promise<Uint8Array> {
  const options = { maxOutputLength: limit };
  try {
    if (path.endsWith('.gz')) return await promisify(gunzip)(bytes, options);
    if (path.endsWith('.zst')) return await promisify(zstdDecompress)(bytes, options);
    if (path.endsWith('.xz')) return await unxz(bytes, limit);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(path, limit + 1, limit);
    }
    throw new UserError(
      'INVALID',
      `The kernel module ${path} of the image cannot be unpacked: ${String(error).trim()}`,
      'Install the kernel package of the image anew.',
    );
  }
  return bytes;
}

/**
 * Level 0 takes an eighth of the time of the default, and adds a tenth to the size (decision 0064). Whoever makes volumes meanwhile
 * goes first: a large one takes longer than all modules.
 */
const XZ = ['nice', '-n', '10', 'xz', '-0', '--compress', '--check=crc32', '--'];

/**
 * Packs kernel modules as busybox unpacks them, all by one program: to start hundreds takes seconds. Meanwhile they lie in files, not
 * in memory.
 */
export class Packer implements AsyncDisposable {
  readonly #folder: string;
  /** The number of one is its file. */
  readonly #names: string[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** `folder`: a path that is free; it is gone afterwards. */
  static async make(folder: string): Promise<Packer> {
    await mkdir(folder, { mode: 0o700 });
    return new Packer(folder);
  }

  async add(name: string, content: Uint8Array): Promise<void> {
    const number = this.#names.push(name) - 1;
    await writeFile(join(this.#folder, String(number)), content);
  }

  /** By name. */
  async pack(): Promise<Map<string, Buffer>> {
    const files = [...this.#names.keys()].map(String);
    if (files.length > 0) await run([...XZ, ...files], { cwd: this.#folder });
    const packed = new Map<string, Buffer>();
    for (const [number, name] of this.#names.entries()) {
      packed.set(name, await readFile(join(this.#folder, `${number}.xz`)));
    }
    return packed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Node.js has no xz of its own. */
function unxz(bytes: Buffer, limit: number): Promise<Buffer> {
  const argv = ['xz', '--decompress', '--stdout', `--memlimit=${XZ_MEMORY}`];
  return buffer(streamProgram(argv, { stdin: bytes, maxOutput: limit }).stdout);
}
