/** What runs in containers, as the kernel tells it: for when podman does not know any more. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno, identifyProcess, type ProcessIdentity } from '../../platform/index.ts';

export interface ProcessFacts extends ProcessIdentity {
  argv: string[];
  /** Its control groups, as /proc tells them (cgroups(7)). */
  cgroup: string;
}

/** All processes but this one and zombies. */
export async function allProcesses(): Promise<ProcessFacts[]> {
  const found: ProcessFacts[] = [];
  for (const pid of (await readdir('/proc')).map(Number)) {
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const identity = identifyProcess(pid);
      const [cmdline, cgroup] = await Promise.all([read(pid, 'cmdline'), read(pid, 'cgroup')]);
      if (identity) found.push({ ...identity, argv: cmdline.split('\0').slice(0, -1), cgroup });
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ESRCH')) throw error; // it ended meanwhile
    }
  }
  return found;
}

/** The container that a process runs in, by the control group that podman gives it; undefined: in none. */
export function containerOf({ cgroup }: Pick<ProcessFacts, 'cgroup'>): string | undefined {
  return /\/libpod-([0-9a-f]{64})(?:\/|$)/m.exec(cgroup)?.[1];
}

function read(pid: number, file: string): Promise<string> {
  return readFile(join('/proc', String(pid), file), 'utf8');
}
