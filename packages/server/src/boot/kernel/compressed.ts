import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import { streamProgram, UserError } from '../../platform/index.ts';
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

/** Level 1 takes a fifth of the time of the default and adds a tenth to the size; its longer matches cost little. */
const XZ_EFFORT = '--lzma2=preset=1,nice=273,depth=100';

/** Packs a kernel module as busybox unpacks it. */
export function packModule(content: Uint8Array): Promise<Buffer> {
  return buffer(
    streamProgram(['xz', '--compress', '--stdout', '--check=crc32', XZ_EFFORT], { stdin: content }).stdout,
  );
}

/** Node.js has no xz of its own. */
function unxz(bytes: Buffer, limit: number): Promise<Buffer> {
  const argv = ['xz', '--decompress', '--stdout', `--memlimit=${XZ_MEMORY}`];
  return buffer(streamProgram(argv, { stdin: bytes, maxOutput: limit }).stdout);
}
