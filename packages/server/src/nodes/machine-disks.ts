import { join } from 'node:path';
import { namesIn, type Paths } from '../platform/index.ts';
import { programName } from './engine/index.ts';
import { isMadeDisk } from './virtual/index.ts';

/** Disks of the virtual nodes that have some here, and how the program of each node's machine is called. */
export async function machineDisks({
  virtual,
}: Pick<Paths, 'virtual'>): Promise<{ program: string; files: string[] }[]> {
  const machines: { program: string; files: string[] }[] = [];
  for (const name of (await namesIn(virtual)).sort()) {
    if (!/^\d+$/.test(name)) continue;
    const disks = (await namesIn(join(virtual, name))).filter(isMadeDisk).sort();
    const files = disks.map((disk) => join(virtual, name, disk));
    if (files.length > 0) machines.push({ program: programName(Number(name)), files });
  }
  return machines;
}
