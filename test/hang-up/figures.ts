import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { processesOf } from '../leftovers.ts';
import type { Platform } from '../platform.ts';

/** What a platform has at one moment. All but the memory must come back to what it was. */
export interface Figures {
  pid: number;
  files: number;
  /** Of the platform, by program. */
  processes: string[];
  mounts: string[];
  containers: string[];
  /** Resident bytes of the server. */
  memory: number;
}

export async function figures(platform: Platform): Promise<Figures> {
  const pid = await platform.pid();
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mountinfo = await readFile(`/proc/${pid}/mountinfo`, 'utf8');
  return {
    pid,
    files: (await readdir(`/proc/${pid}/fd`)).length,
    processes: processesOf(platform.marks)
      // It comes when it is needed, and goes a minute later.
      .filter(({ command }) => !command.includes('system service'))
      .map(({ command }) => command.split(' ').slice(0, 3).join(' '))
      .sort(),
    mounts: mountinfo.split('\n').flatMap((line) => {
      const point = line.split(' ')[4] ?? '';
      // Programs of containers/storage mount their folder on itself, and the last one takes that away unless it is killed.
      const storage = point === join(platform.paths.containers, 'overlay');
      return point.startsWith(platform.folder) && !storage ? [point] : [];
    }),
    containers: await containers(platform),
    memory: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024,
  };
}

/** As containers/storage notes them. */
async function containers({ paths }: Platform): Promise<string[]> {
  const file = join(paths.containers, 'overlay-containers', 'containers.json');
  const noted: unknown = JSON.parse(await readFile(file, 'utf8').catch(() => '[]'));
  return Array.isArray(noted) ? noted.map(({ names, id }) => String(names?.[0] ?? id)).sort() : [];
}
