import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { attempt, fileExists, hasErrno, type Paths } from '../platform/index.ts';
import { INIT_LABEL, INIT_SHUTDOWN, STOP_LIMIT } from './shell-container.ts';
import { Store } from './store.ts';

/** Milliseconds for podman's helpers to end after their containers. */
const HELPERS_LIMIT = 60_000;

/**
 * Ends all that images have running or mounted on this machine: shells stop, their sessions wait to be saved. For when the
 * server has ended and the platform is stopped; run it with the host's network.
 */
export async function haltImages(paths: Paths): Promise<void> {
  if (!(await fileExists(paths.containers))) return;
  const store = await Store.open(paths, (argv) => [...argv]);
  await store.execInLabelled(INIT_LABEL, INIT_SHUTDOWN);
  await store.stopAll(STOP_LIMIT);
  await store.unmountContainers();
  await store.unmountAll();
  await helpersGone(paths);
  // podman mounts its folder of layers upon itself and leaves it so; not mounted is as good.
  await attempt(['umount', join(paths.containers, 'overlay')]);
}

/**
 * Ends podman's service, and waits for what podman runs after a container's end (conmon, `container cleanup`): each would make
 * folders anew that were deleted meanwhile. They are nobody's children, so that no event tells their end.
 */
async function helpersGone(paths: Paths): Promise<void> {
  const limit = Date.now() + HELPERS_LIMIT;
  for (;;) {
    const helpers = await processesNaming(paths.containersRun);
    if (helpers.length === 0) return;
    if (Date.now() > limit) throw new Error(`processes of ${paths.containersRun} do not end`);
    for (const { pid, argv } of helpers) {
      // What watched a program that was added to a container stays for 5 minutes, so that one can ask how it ended.
      if (argv.includes('service') || argv.includes('--exit-delay')) terminate(pid);
    }
    await delay(20);
  }
}

/** Processes with that folder as one of their arguments; we are none of them. */
async function processesNaming(folder: string): Promise<{ pid: number; argv: string[] }[]> {
  const found = [];
  for (const pid of (await readdir('/proc')).map(Number)) {
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const argv = (await readFile(join('/proc', String(pid), 'cmdline'), 'utf8')).split('\0');
      if (argv.includes(folder)) found.push({ pid, argv });
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ESRCH')) throw error;
    }
  }
  return found;
}

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}
