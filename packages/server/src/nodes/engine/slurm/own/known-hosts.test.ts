import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../../../test/platform.ts';
import { forgetHost, knownHosts, noteHost } from './known-hosts.ts';

test('hosts that are added and removed at the same time are all noted', async (context) => {
  const folder = await temporaryFolder();
  context.after(() => rm(folder, { recursive: true }));
  const paths = { hosts: join(folder, 'hosts.json') };
  const host = (name: string) => ({ name, url: `ssh://${name}.example`, address: '192.0.2.1' });
  await noteHost(paths, host('gone'));
  const names = ['h1', 'h2', 'h3', 'h4'];
  await Promise.all([...names.map((name) => noteHost(paths, host(name))), forgetHost(paths, 'gone')]);
  assert.deepEqual(
    (await knownHosts(paths)).map(({ name }) => name),
    names,
  );
});
