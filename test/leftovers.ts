import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { attempt } from '../packages/server/src/platform/index.ts';

/** What tells a platform's things from anybody else's. */
export interface Marks {
  /** Its network namespace. */
  namespace: string;
  /** Folder of its configuration, state and runtime files. */
  folder: string;
  /** Identity of the namespace, as `net:[4026532000]`; undefined when it never came to be. */
  namespaceId: string | undefined;
}

/** What a platform has left on the machine: one line for each process, mount, loop device, namespace and link. Empty: it is gone. */
export async function leftovers(marks: Marks): Promise<string[]> {
  return [
    ...processes(marks),
    ...mounts(marks),
    ...loopDevices(marks.folder),
    ...namespaces(marks),
    ...(await links(marks)),
  ];
}

/** Numbers of the processes that run in a network namespace, or name it or a folder in their command line; not our own. */
export function processesOf({ folder, namespace, namespaceId }: Marks): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const command = optional(() => readFileSync(`/proc/${name}/cmdline`, 'utf8'));
      if (!command) return [];
      const network = optional(() => readlinkSync(`/proc/${name}/ns/net`));
      const named = command.includes(folder) || command.includes(`/run/netns/${namespace}\0`);
      const ours = named || (namespaceId !== undefined && network === namespaceId);
      return ours ? [{ pid: Number(name), command: command.replaceAll('\0', ' ').trim() }] : [];
    });
}

/** Identity of a named network namespace; undefined when there is none. */
export async function namespaceId(name: string): Promise<string | undefined> {
  const { status, stdout } = await attempt(['ip', 'netns', 'exec', name, 'readlink', '/proc/self/ns/net']);
  return status === 0 ? stdout.trim() : undefined;
}

function processes(marks: Marks): string[] {
  return processesOf(marks).map(({ pid, command }) => `process ${pid}: ${command}`);
}

function mounts({ namespace, folder }: Marks): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`${folder}/`) || line.includes(`/run/netns/${namespace} `))
    .map((line) => `mount ${line}`);
}

/**
 * Loop devices of the files below a folder, with their files. Who makes a mount namespace gets a copy of each mount that there is: a
 * device that only such a copy keeps is not ours, and goes with that namespace.
 */
export function loopDevices(folder: string): string[] {
  return readdirSync('/sys/block').flatMap((device) => {
    const file = optional(() => readFileSync(`/sys/block/${device}/loop/backing_file`, 'utf8').trim());
    if (!file?.startsWith(`${folder}/`) || isMountedElsewhere(device)) return [];
    return [`loop device /dev/${device} ${file}`];
  });
}

/** Whether a mount namespace other than ours has something mounted from there (proc_pid_mountinfo(5)). */
function isMountedElsewhere(device: string): boolean {
  const number = optional(() => readFileSync(`/sys/block/${device}/dev`, 'utf8').trim());
  const seen = new Set([readlinkSync('/proc/self/ns/mnt')]);
  return readdirSync('/proc').some((name) => {
    const namespace = /^\d+$/.test(name) && optional(() => readlinkSync(`/proc/${name}/ns/mnt`));
    if (!namespace || seen.has(namespace)) return false;
    seen.add(namespace);
    const mounts = optional(() => readFileSync(`/proc/${name}/mountinfo`, 'utf8'));
    return mounts?.split('\n').some((line) => line.split(' ')[2] === number) ?? false;
  });
}

/** Mount points below a folder, the deepest first. */
export function mountsIn(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`))
    .reverse();
}

function namespaces({ namespace }: Marks): string[] {
  const names = optional(() => readdirSync('/run/netns')) ?? [];
  return names
    .filter((name) => name === namespace || name === `${namespace}-host`)
    .map((name) => `network namespace ${name}`);
}

/** Links on the host's side; those inside the namespace go with it. */
async function links({ namespace }: Marks): Promise<string[]> {
  const { stdout } = await attempt(['ip', '-oneline', 'link', 'show']);
  return stdout
    .split('\n')
    .filter((line) => line.includes(namespace))
    .map((line) => `link ${line}`);
}

/** A process may end between two looks at it. */
function optional<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
