/** Stages what each package brings, as it lies on a machine, and packs it. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildClient } from '../../packages/cli/build.ts';
import { buildServer } from '../../packages/server/build.ts';
import { write } from './files.ts';
import { packNpm } from './npm.ts';
import type { Runtime } from './runtimes.ts';
import { stageClient, writeClientPackage } from './walt-client.ts';
import { writeServerPackage } from './walt-server.ts';

interface Making {
  checkout: string;
  /** Folder that gets the packages. */
  target: string;
  version: string;
  /** `folder`: for what is fetched. */
  runtimes(folder: string): readonly Runtime[];
  /** Is told each file. */
  say(file: string): void;
}

export async function makePackages({ checkout, target, version, runtimes, say }: Making): Promise<void> {
  const stage = await mkdtemp(join(tmpdir(), 'walt-packages-'));
  try {
    await mkdir(target, { recursive: true });
    const all = runtimes(stage);
    // What is run of it is ES modules.
    write(join(stage, 'package.json'), '{ "type": "module" }');
    const built = join(stage, 'built');
    await buildClient(built);
    await buildServer(join(built, 'dist/server'));
    const client = await stageClient(checkout, built, join(stage, 'client'));
    for (const runtime of all) {
      const what = { checkout, built, version, runtime, target };
      const folder = join(stage, runtime.debian);
      say(await writeClientPackage({ ...what, client, folder: join(folder, 'walt-client') }));
      say(await writeServerPackage({ ...what, folder: join(folder, 'walt-server') }));
    }
    say(packNpm({ client, target, folder: join(stage, 'npm') }));
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}
