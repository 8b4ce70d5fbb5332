/** Files that all machines of a board share. */
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { models } from '../../models/index.ts';
import { type Paths, writeFileAtomic } from '../../platform/index.ts';

/** Where the file of that name is. */
export function sharedFile(name: string, paths: Pick<Paths, 'virtual'>): string {
  return join(paths.virtual, name);
}

/** Writes what machines share, before any is started. Running ones keep the files that they opened. */
export async function writeSharedFiles(paths: Pick<Paths, 'virtual'>): Promise<void> {
  for (const { name, content, size } of models.flatMap(({ qemu }) => qemu?.files ?? [])) {
    const file = sharedFile(name, paths);
    await writeFileAtomic(file, content());
    if (size !== undefined) await truncate(file, size);
  }
}
