/**
 * Network namespaces that podman makes for containers (`/run/netns/netns-UUID`), and leaves when it is killed before it has written
 * down which one is whose. The folder is the machine's: what lies there may be another podman's.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { attempt, namesIn, type Paths, readIfPresent, writeFileAtomic } from '../../platform/index.ts';
import type { Store } from './store.ts';

const FOLDER = '/run/netns';
/** As podman 4.3 names them (containers/common, pkg/netns). */
const NAME = /^netns-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Milliseconds between two looks: one that is just being made has nobody in it for some hundredths of a second. */
const PAUSE = 2000;

/** To be called before podman may make any. */
export async function noteNetworks(paths: Paths): Promise<void> {
  await writeFileAtomic(noteFile(paths), JSON.stringify(await networks()));
}

/** Those that came since the note, and in which nobody is: whoever uses one has a process in it. */
export async function emptyNetworks(paths: Paths): Promise<string[]> {
  const noted = await readIfPresent(noteFile(paths));
  if (noted === undefined) return [];
  const before = new Set<unknown>(JSON.parse(noted));
  return await unused((await networks()).filter((name) => !before.has(name)));
}

/**
 * Removes those of these in which nobody is after a while either, but for those that podman has noted as a container's: these it
 * removes itself, and does not get over it when somebody else does.
 */
export async function removeNetworks(
  store: Pick<Store, 'networkFiles'>,
  names: readonly string[],
  tell: (line: string) => void,
  wait = PAUSE,
): Promise<void> {
  if (names.length === 0) return;
  await pause(wait);
  const known = new Set(await store.networkFiles());
  for (const name of await unused(names)) {
    const path = join(FOLDER, name);
    if (known.has(path)) continue;
    // Where it is no mount any more, somebody else was faster.
    await attempt(['umount', '--', path]);
    await rm(path, { force: true });
    tell(`Removed the network namespace ${name}, left of a container.`);
  }
}

async function networks(): Promise<string[]> {
  return (await namesIn(FOLDER)).filter((name) => NAME.test(name));
}

/** Those in which no process is. */
async function unused(names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const inUse = new Set<number | undefined>();
  for (const pid of await readdir('/proc'))
    if (/^\d+$/.test(pid)) inUse.add(await inodeOf(`/proc/${pid}/ns/net`));
  const inodes = await Promise.all(names.map((name) => inodeOf(join(FOLDER, name))));
  return names.filter((_, index) => inodes[index] !== undefined && !inUse.has(inodes[index]));
}

/** Undefined: there is none any more. */
async function inodeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.ino;
}

function noteFile(paths: Paths): string {
  return join(paths.containersRun, 'networks.json');
}
