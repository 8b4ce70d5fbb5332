/**
 * Folder `images/copy/`: `walt image cp`, and all that packs and unpacks local files.
 *
 * This file: local files into an image.
 */
import { lstat, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import type { Connection } from '@walt/client/connection';
import { AbortError, hasCode } from '@walt/client/errors';
import { type ImagePlace, type ImageWritten, kindInImage, writeToImage } from '@walt/client/image-files';
import { remark } from '../../terminal/output.ts';
import { openDisplay } from '../../terminal/progress.ts';
import { requireFolderFor, withoutSlash } from './destination.ts';
import { packFiles } from './pack-files.ts';

export async function copyToImage(
  connection: Connection,
  source: string,
  destination: ImagePlace,
  options: { archive: boolean },
): Promise<ImageWritten> {
  const isFolder = await isLocalFolder(source);
  const there = await kindInImage(connection, { ...destination, path: withoutSlash(destination.path) });
  if (there !== null && there !== 'folder' && isFolder) {
    throw new AbortError(
      'CONFLICT',
      `${destination.path} is a file in ${destination.image}, and ${source} is a folder.`,
      'Name another destination.',
    );
  }
  if (!isFolder) requireFolderFor(destination.path, there, destination.image);
  const parent = { ...destination, path: posix.dirname(destination.path) };
  if (there === null) await requireFolder(connection, parent);
  using display = openDisplay();
  const step = `Copying ${source} into ${destination.image}`;
  display.show({ type: 'progress', step });
  const tar = await packFiles(source, {
    ...{ archive: options.archive, attributes: true },
    onBytes: (done) => display.show({ type: 'progress', step, done, unit: 'bytes' }),
    onEnd: () => display.show({ type: 'progress', step: `Saving ${destination.image}` }),
    onSkipped: (path) => remark(`Left out ${path}: it is neither file, folder nor link.`),
  });
  try {
    return await writeToImage(connection, destination, tar);
  } catch (error) {
    // Where a file cannot be read, the connection breaks too: that says less.
    throw tar.errored instanceof AbortError ? tar.errored : error;
  }
}

/** Asked beforehand: a refusal that comes while megabytes are under way reaches the user as a broken connection. */
export async function requireFolder(connection: Connection, folder: ImagePlace): Promise<void> {
  if ((await kindInImage(connection, folder)) === 'folder') return;
  throw new AbortError(
    'NOT_FOUND',
    `There is no folder ${folder.path} in ${folder.image}.`,
    'Name an existing folder, or make it first in `walt image shell`.',
  );
}

/** A link to a folder counts as a link, unless its content is asked for by `/.` or `/`. Throws NOT_FOUND. */
async function isLocalFolder(source: string): Promise<boolean> {
  try {
    return (await (/\/\.?$/.test(source) ? stat(source) : lstat(source))).isDirectory();
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    throw new AbortError('NOT_FOUND', `There is no ${source} on this machine.`, 'Check the path.');
  }
}
