import { chmod, mkdir } from 'node:fs/promises';
import { hasErrno } from './errors.ts';
import type { Paths } from './paths.ts';

/**
 * Makes the state folder and the runtime folder. What users' images bring lies below the first, set-uid programs and devices among
 * it: nobody but root enters it, and no mode of a file in there matters. What others are to have is given to them by a program that
 * serves it. The second is for all: users' clients find the socket there. Folders of an older version are closed, too.
 */
export async function closeFolders(paths: Paths): Promise<void> {
  await mkdir(paths.state, { recursive: true, mode: 0o700 });
  await mkdir(paths.logs, { recursive: true, mode: 0o700 });
  await mkdir(paths.runtime, { recursive: true, mode: 0o755 });
  await chmod(paths.runtime, 0o755);
  // Each by itself as well, should somebody open the one above. Not volumes: nodes see that folder with its mode.
  const { state, logs, cluster, containers, keys, persist, virtual, services, bootFiles, busybox } = paths;
  const { builds, imageBuilds, toolchains, programs, virtualRun } = paths;
  const closed = [state, logs, cluster, containers, keys, persist, virtual, services, bootFiles, busybox];
  for (const folder of [...closed, builds, imageBuilds, toolchains, programs, virtualRun]) {
    await chmod(folder, 0o700).catch((error: unknown) => {
      if (!hasErrno(error, 'ENOENT')) throw error;
    });
  }
}
