import { lstat, rmdir, unlink } from 'node:fs/promises';
import { hasCode } from '@walt/client/errors';

/**
 * Deletes what a build deleted, in `folder`. A path is bytes, as Latin-1. Nothing outside of the folder is touched, no link is
 * followed, and a folder with something in it stays.
 */
export async function deleteFiles(folder: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) await deleteOne(Buffer.from(folder), path);
}

async function deleteOne(folder: Buffer, path: string): Promise<void> {
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return;
  const slash = Buffer.from('/');
  let place = folder;
  try {
    for (const [index, part] of parts.entries()) {
      place = Buffer.concat([place, slash, Buffer.from(part, 'latin1')]);
      const isFolder = (await lstat(place)).isDirectory();
      if (index < parts.length - 1) {
        if (!isFolder) return;
      } else if (isFolder) await rmdir(place);
      else await unlink(place);
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTEMPTY')) throw error;
  }
}
