/** Files of an image to this machine. */
import { lstat } from 'node:fs/promises';
import type { Connection } from '@walt/client/connection';
import { hasCode } from '@walt/client/errors';
import { type ImagePlace, kindInImage, readFromImage } from '@walt/client/image-files';
import { remark } from '../../terminal/output.ts';
import { openDisplay } from '../../terminal/progress.ts';
import { isFolder, landingHere, requireFolderFor, withoutSlash } from './destination.ts';
import { unpack } from './unpack.ts';

export async function copyFromImage(
  connection: Connection,
  source: ImagePlace,
  destination: string,
): Promise<void> {
  const kind = await kindInImage(connection, { ...source, path: withoutSlash(source.path) });
  // As for the source, so for the destination: a slash behind it asks for a folder.
  requireFolderFor(source.path, kind, source.image);
  if (kind === 'file') requireFolderFor(destination, await kindHere(destination), 'this machine');
  const place = await landingHere(source.path, destination);
  using display = openDisplay();
  const step = `Copying ${source.path} out of ${source.image}`;
  const tar = await readFromImage(connection, source);
  display.show({ type: 'progress', step });
  await unpack(tar, {
    ...{ landing: place, wrapped: true, existing: 'keep' },
    onBytes: (done) => display.show({ type: 'progress', step, done, unit: 'bytes' }),
    onSkipped: (path) => remark(`Left out ${path}: it is neither file, folder nor link.`),
  });
}

async function kindHere(path: string): Promise<'file' | 'folder' | null> {
  if (await isFolder(path)) return 'folder';
  const there = await lstat(withoutSlash(path)).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  });
  return there ? 'file' : null;
}
