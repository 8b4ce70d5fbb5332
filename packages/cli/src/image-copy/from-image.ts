/** Files of an image to this machine. */
import { stat } from 'node:fs/promises';
import type { Connection } from '../client.ts';
import { AbortError, hasCode } from '../errors.ts';
import { remark } from '../output.ts';
import { openDisplay } from '../progress.ts';
import { landing } from './destination.ts';
import { type ImagePlace, readFromImage } from './image-files.ts';
import { unpack } from './unpack.ts';

export async function copyFromImage(
  connection: Connection,
  source: ImagePlace,
  destination: string,
): Promise<void> {
  const place = landing(source.path, destination, await isFolder(destination));
  if (!(await isFolder(place.folder))) {
    throw new AbortError(
      'NOT_FOUND',
      `There is no folder ${place.folder} on this machine.`,
      'Make it first.',
    );
  }
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

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return false;
    throw error;
  }
}
