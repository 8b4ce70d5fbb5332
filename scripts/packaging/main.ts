/** `scripts/packages`: stages what each package brings, as it lies on a machine, and packs it. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import packageFile from '../../package.json' with { type: 'json' };
import { buildClient } from '../../packages/cli/build.ts';
import { buildServer } from '../../packages/server/build.ts';
import { runtimes, write } from './files.ts';
import { packNpm } from './npm.ts';
import { stageClient, writeClientPackage } from './walt-client.ts';
import { writeServerPackage } from './walt-server.ts';

const checkout = resolve(import.meta.dirname, '../..');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { revision: { type: 'string', default: '1' } },
});
const [target = join(checkout, 'dist/packages'), ...rest] = positionals;
if (rest.length > 0 || !/^[1-9][0-9]{0,8}$/.test(values.revision)) {
  process.stderr.write('usage: scripts/packages [--revision NUMBER] [FOLDER]\n');
  process.exit(2);
}
const version = `${packageFile.version}-${values.revision}`;
const stage = await mkdtemp(join(tmpdir(), 'walt-packages-'));
try {
  await mkdir(target, { recursive: true });
  // What is run of it is ES modules.
  write(join(stage, 'package.json'), '{ "type": "module" }');
  const built = join(stage, 'built');
  await buildClient(built);
  await buildServer(join(built, 'dist/server'));
  const client = await stageClient(checkout, built, join(stage, 'client'));
  for (const runtime of runtimes(checkout)) {
    const what = { checkout, built, version, runtime, target: resolve(target) };
    const folder = join(stage, runtime.debian);
    say(await writeClientPackage({ ...what, client, folder: join(folder, 'walt-client') }));
    say(await writeServerPackage({ ...what, folder: join(folder, 'walt-server') }));
  }
  say(packNpm({ client, target: resolve(target), folder: join(stage, 'npm') }));
} finally {
  await rm(stage, { recursive: true, force: true });
}

function say(file: string): void {
  process.stdout.write(`${file}\n`);
}
