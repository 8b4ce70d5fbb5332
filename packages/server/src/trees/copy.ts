/** Copies out of trees that users made. Of a file's mode nothing is taken over: no copy has set-user-ID, and none is a device. */
import { type FileHandle, mkdir, open, symlink } from 'node:fs/promises';
import { bytesOf, join, textOf } from './names.ts';
import { type Tree, tooLarge } from './tree.ts';

/** Bytes that are looked at together; those that are all zero become a hole. */
const BLOCK = 256 * 1024;
const ZEROS = Buffer.alloc(BLOCK);

/**
 * Writes a new file, with holes where all is zero. Throws UserError INVALID, which names `what`, after more than `limit` bytes.
 * Mode 600 unless said.
 */
export async function writeSparse(
  chunks: AsyncIterable<Uint8Array>,
  target: string | Buffer,
  { limit, what, mode = 0o600 }: { limit: number; what: string; mode?: number },
): Promise<void> {
  await using file = await open(target, 'wx', mode);
  let size = 0;
  for await (const chunk of chunks) {
    if (size + chunk.length > limit) throw tooLarge(what, size + chunk.length, limit);
    for (let start = 0; start < chunk.length; start += BLOCK) {
      const block = chunk.subarray(start, start + BLOCK);
      if (ZEROS.compare(block, 0, block.length, 0, block.length) !== 0) {
        await file.write(block, 0, block.length, size + start);
      }
    }
    size += chunk.length;
  }
  // Where it ends in a hole.
  await file.truncate(size);
}

/** Copies an open file of a tree, and closes it. As `writeSparse`. */
export async function copyFile(
  file: FileHandle,
  target: string | Buffer,
  options: { limit: number; what: string; mode?: number },
): Promise<void> {
  await using source = file;
  const { size } = await source.stat();
  if (size > options.limit) throw tooLarge(options.what, size, options.limit);
  await writeSparse(chunksOf(source), target, options);
}

/** A chunk is good until the next one is asked for: they share their memory. */
async function* chunksOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.allocUnsafe(4 * BLOCK);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return;
    yield chunk.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/**
 * Copies a folder of a tree with all files, folders and links in it; whatever else is there is left out. Files get mode 644,
 * folders 755. Throws UserError INVALID after more than `limit` bytes.
 */
export async function copyFolder(tree: Tree, path: string, target: Buffer, limit: number): Promise<void> {
  await mkdir(target, { mode: 0o755 });
  let left = limit;
  const copy = async (folder: string, to: Buffer): Promise<void> => {
    for (const name of (await tree.names(folder)) ?? []) {
      const from = join(folder, name);
      const place = Buffer.concat([to, bytesOf(`/${name}`)]);
      const stats = await tree.stat(from);
      if (stats?.isDirectory()) {
        await mkdir(place, { mode: 0o755 });
        await copy(from, place);
      } else if (stats?.isSymbolicLink()) {
        const link = await tree.readLink(from);
        if (link !== undefined) await symlink(bytesOf(link), place);
      } else if (stats?.isFile()) {
        const file = await tree.open(from);
        if (file) await copyFile(file, place, { limit: left, what: textOf(from), mode: 0o644 });
        left -= Number(stats.size);
      }
    }
  };
  await copy(path, target);
}
