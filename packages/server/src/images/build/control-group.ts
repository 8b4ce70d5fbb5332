/**
 * The control group of a build (cgroups(7), both versions), in which all its processes are: buildah in one below it, and what `RUN`
 * starts in another, which runc makes and removes each time.
 */
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ContainerLimits, hasErrno, readIfPresent } from '../../platform/index.ts';
import { reachedLimit } from '../store/index.ts';

const BUILDER = 'builder';
/** The group for commands. */
export const RUNNING = 'run';

/** Milliseconds for the kernel to let go of a control group whose processes were killed. */
const REMOVAL_LIMIT = 5000;

interface Controllers {
  /** Folders of the group, one per hierarchy. */
  pids: string;
  memory: string;
  version: 1 | 2;
}

export class ControlGroup {
  readonly #name: string;
  readonly #limits: ContainerLimits;
  readonly #controllers: Controllers | undefined;

  private constructor(name: string, limits: ContainerLimits, controllers: Controllers | undefined) {
    this.#name = name;
    this.#limits = limits;
    this.#controllers = controllers;
  }

  /** Where the kernel has no such controllers, or they are not ours to use, there are no limits. */
  static async make(name: string, limits: ContainerLimits): Promise<ControlGroup> {
    const controllers = await findControllers(name);
    if (!controllers) return new ControlGroup(name, limits, undefined);
    const { pids, memory, version } = controllers;
    for (const folder of new Set([pids, memory])) await mkdir(join(folder, BUILDER), { recursive: true });
    await writeFile(join(pids, 'pids.max'), String(limits.processes));
    const file = version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
    await writeFile(join(memory, file), String(limits.memory));
    // Otherwise what does not fit goes to the swap space of all.
    if (version === 1)
      await writeOptional(join(memory, 'memory.memsw.limit_in_bytes'), String(limits.memory));
    else await writeOptional(join(memory, 'memory.swap.max'), '0');
    return new ControlGroup(name, limits, controllers);
  }

  /** Takes a process in, and all that it will start. */
  async enter(pid: number): Promise<void> {
    if (!this.#controllers) return;
    const { pids, memory } = this.#controllers;
    for (const folder of new Set([pids, memory])) {
      await writeFile(join(folder, BUILDER, 'cgroup.procs'), String(pid));
    }
  }

  /** Where the kernel counts what the commands' group was refused: to be read before that is removed. */
  get commandEvents(): string[] {
    return this.#events(RUNNING);
  }

  /** Which limit was met, as a sentence goes on; undefined: none. `noted` is what stood in `commandEvents`. */
  async reached(noted: string): Promise<string | undefined> {
    const own = await Promise.all(this.#events(BUILDER).map(readIfPresent));
    return reachedLimit([noted, ...own].join('\n'), this.#limits);
  }

  #events(group: string): string[] {
    if (!this.#controllers) return [];
    const { pids, memory, version } = this.#controllers;
    return [
      join(pids, group, 'pids.events'),
      join(memory, group, version === 1 ? 'memory.oom_control' : 'memory.events'),
    ];
  }

  async remove(): Promise<void> {
    await removeControlGroup(this.#name);
  }
}

/** Removes a group that a killed server or a killed runc left, with those below. */
export async function removeControlGroup(name: string): Promise<void> {
  const limit = Date.now() + REMOVAL_LIMIT;
  for (const { mount } of await mounts()) {
    const folder = join(mount, name);
    while (!(await removeGroups(folder)) && Date.now() < limit) await pause(20);
  }
}

async function findControllers(name: string): Promise<Controllers | undefined> {
  const all = await mounts();
  const first = (controller: string) =>
    all.find(({ controllers }) => controllers.includes(controller))?.mount;
  const [pids, memory] = [first('pids'), first('memory')];
  if (pids !== undefined && memory !== undefined) {
    return { pids: join(pids, name), memory: join(memory, name), version: 1 };
  }
  const unified = all.find(({ controllers }) => controllers.length === 0)?.mount;
  if (unified === undefined) return undefined;
  const here = ((await readIfPresent(join(unified, 'cgroup.controllers'))) ?? '').split(/\s+/);
  if (!here.includes('pids') || !here.includes('memory')) return undefined;
  try {
    await writeFile(join(unified, 'cgroup.subtree_control'), '+pids +memory');
  } catch (error) {
    if (!hasErrno(error, 'EBUSY', 'EACCES', 'EPERM', 'EROFS')) throw error;
    return undefined;
  }
  return { pids: join(unified, name), memory: join(unified, name), version: 2 };
}

/** Where hierarchies are mounted, with the controllers of version 1. */
async function mounts(): Promise<{ mount: string; controllers: string[] }[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return [...text.matchAll(/^(?:\S+ ){4}(\S+) .* - cgroup(2?) \S+ (\S+)$/gm)].map(
    ([, mount = '', second, options = '']) => ({
      mount,
      controllers: second ? [] : options.split(',').filter((word) => word !== 'rw' && word !== 'ro'),
    }),
  );
}

/** Not every kernel counts swap. */
async function writeOptional(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EACCES', 'EPERM')) throw error;
  }
}

/** False: a process is still in it. */
async function removeGroups(folder: string): Promise<boolean> {
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory() && !(await removeGroups(join(folder, entry.name)))) return false;
    }
    await rmdir(folder);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true;
    if (hasErrno(error, 'EBUSY')) return false;
    throw error;
  }
}
