import { writeFile } from 'node:fs/promises';
import { hasErrno } from '../platform/index.ts';

/** /proc/sys/net shows the settings of the network namespace of who looks, so this never changes the host's. */
export async function setSysctl(path: string, value: string): Promise<void> {
  try {
    await writeFile(`/proc/sys/${path}`, value, { flag: 'r+' });
  } catch (error) {
    // ENOENT: the kernel has no such part; EROFS, EACCES: a container does not let us, and its default is the same.
    if (!hasErrno(error, 'ENOENT', 'EROFS', 'EACCES')) throw error;
  }
}
