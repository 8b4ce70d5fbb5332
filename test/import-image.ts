import { mkdir } from 'node:fs/promises';
import { bootFaults, hasBootFiles, prepareBootFiles } from '../packages/server/src/boot/index.ts';
import { Images } from '../packages/server/src/images/index.ts';
import { bootingNodes } from '../packages/server/src/nodes/index.ts';
import { createLog, openDatabase } from '../packages/server/src/platform/index.ts';
import { serverTables } from '../packages/server/src/tables.ts';
import type { Platform } from './platform.ts';

/**
 * Gives root an image of a root file system's tar, with a configuration in words of a Dockerfile: by the import that the product
 * has, in this process. The platform's server must not run.
 */
export async function importImage(
  { config, paths }: Platform,
  name: string,
  tar: string,
  changes: readonly string[],
): Promise<void> {
  await mkdir(paths.state, { recursive: true, mode: 0o700 });
  const database = await openDatabase(paths.database, serverTables);
  const images = await Images.open({
    ...{ config, paths, database, nodes: bootingNodes, log: createLog('images') },
    prepareBoot: (image) => prepareBootFiles(image, paths),
    hasBootFiles: (digest) => hasBootFiles(digest, paths),
    bootFaults: (digest) => bootFaults(digest, paths),
    host: (argv) => [...argv],
  });
  try {
    const source = { tar, architecture: 'amd64' as const, changes };
    const steps = images.importTar('root', source, { owner: 'root', name }, false);
    while (!(await steps.next()).done);
  } finally {
    await images.close();
    await database.destroy();
  }
}
