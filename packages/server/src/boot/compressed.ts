import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import { run } from '../platform/index.ts';

/** Bytes of a kernel module file, unpacked as its suffix says. Throws ExternalError when xz(1) fails. */
export async function readModule(path: string): Promise<Uint8Array> {
  if (path.endsWith('.gz')) return await promisify(gunzip)(await readFile(path));
  if (path.endsWith('.zst')) return await promisify(zstdDecompress)(await readFile(path));
  if (path.endsWith('.xz')) return await unxz(path);
  return await readFile(path);
}

/** Node has no xz of its own. */
async function unxz(path: string): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'walt-module-'));
  try {
    await copyFile(path, join(folder, 'module.xz'));
    await run(['xz', '--decompress', '--', join(folder, 'module.xz')]);
    return await readFile(join(folder, 'module'));
  } finally {
    await rm(folder, { recursive: true });
  }
}
