/** What the kernel counted of a container's limits: its control group tells, which goes with the container. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ContainerLimits, readIfPresent } from '../../platform/index.ts';

const MIB = 1024 * 1024;

/**
 * Stands between podman and runc: notes the counters in `folder`, under the container's ID, before its control group is removed.
 * conmon 2.1 does not see all that the kernel ends for want of memory, and nobody tells podman of processes that were refused.
 */
export function notingRuntime(folder: string): string {
  const group = 'libpod_parent/libpod-$last';
  const files = [
    ...[`memory/${group}/memory.oom_control`, `pids/${group}/pids.events`],
    ...[`${group}/memory.events`, `${group}/pids.events`],
  ].map((file) => `"/sys/fs/cgroup/${file}"`);
  return `#!/bin/sh
deleting=
last=
for word; do
  [ "$word" != delete ] || deleting=1
  last=$word
done
[ -z "$deleting" ] || cat ${files.join(' ')} >'${folder}'/"$last" 2>/dev/null
exec runc "$@"
`;
}

/** Which limit was met, as a sentence goes on; undefined: none. `counted` is the text of the kernel's counters. */
export function reachedLimit(counted: string, { processes, memory }: ContainerLimits): string | undefined {
  if (/^max [1-9]/m.test(counted)) return `it had ${processes} processes, which is the limit`;
  return /^oom_kill [1-9]/m.test(counted)
    ? `it had ${Math.floor(memory / MIB)} MiB of memory, which is the limit`
    : undefined;
}

/** A sentence about a shell or command that met one; undefined: it has not. */
export function limitNote(what: string, counted: string, limits: ContainerLimits): string | undefined {
  const reached = reachedLimit(counted, limits);
  return (
    reached &&
    `${what} could not go on as it wished: ${reached} (limits.container-processes, -memory in server.conf).`
  );
}

/** What `notingRuntime` noted when a container ended last; empty: nothing. */
export class LimitNotes {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async read(container: string): Promise<string> {
    return (await readIfPresent(join(this.#folder, container))) ?? '';
  }

  async forget(container: string): Promise<void> {
    await rm(join(this.#folder, container), { force: true });
  }
}
