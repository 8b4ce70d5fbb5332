import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../platform/index.ts';
import { exampleTarget } from './example-target.ts';
import { identityFiles, identityTar } from './identity.ts';

const contentOf = (path: string, target = exampleTarget) =>
  identityFiles(target).find((file) => file.path === path)?.content;

test('a node knows its name, its server and its own keys', () => {
  assert.equal(contentOf('etc/hostname'), 'vnode1\n');
  assert.match(contentOf('etc/hosts') ?? '', /^10\.73\.0\.2 vnode1\.walt vnode1$/m);
  assert.equal(contentOf('etc/resolv.conf'), 'nameserver 10.73.0.1\nsearch walt\n');
  assert.equal(contentOf('etc/walt/ssh/principals'), 'walt-node-7\n');
  assert.equal(contentOf('etc/walt/ssh/host_key'), exampleTarget.identity.hostKey);
});

test('a machine id stays the same at each boot and differs between nodes', () => {
  const id = contentOf('etc/machine-id');
  assert.match(id ?? '', /^[0-9a-f]{32}\n$/);
  assert.equal(contentOf('etc/machine-id', { ...exampleTarget, name: 'renamed', generation: 9 }), id);
  assert.notEqual(contentOf('etc/machine-id', { ...exampleTarget, nodeId: 8 }), id);
});

test('the archive holds folders that sshd trusts, and a host key that only root reads', async () => {
  const listing = await run(['tar', '-t', '-v', '--numeric-owner', '-f', '-'], {
    input: await identityTar(exampleTarget),
  });
  const entries = listing
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/))
    .map(([mode, owner, , , , path]) => [path, mode, owner]);
  const folders = entries.filter(([, mode]) => mode?.startsWith('d'));
  assert.deepEqual(
    folders.filter(([, mode, owner]) => mode !== 'drwxr-xr-x' || owner !== '0/0'),
    [],
  );
  assert.ok(folders.some(([path]) => path === 'persist'));
  assert.deepEqual(
    entries.filter(([, mode]) => mode === '-rw-------').map(([path]) => path),
    ['etc/walt/ssh/host_key'],
  );
  assert.equal(entries[0]?.[0], 'etc');
});

test('what an image is lent is in the archive: files, folders with their modes, links', async () => {
  const input = await identityTar(exampleTarget, [
    { type: 'file', path: 'etc/shadow', mode: 0o600, content: 'root:*:1::::::\n' },
    { type: 'folder', path: 'tmp', mode: 0o1777 },
    { type: 'folder', path: 'srv/data', mode: 0o755 },
    { type: 'link', path: 'usr/bin/sh', target: '/usr/lib/walt/bin/busybox' },
  ]);
  const listing = await run(['tar', '-t', '-v', '--numeric-owner', '-f', '-'], { input });
  assert.match(listing, /^-rw------- 0\/0 .* etc\/shadow$/m);
  assert.match(listing, /^drwxrwxrwt 0\/0 .* tmp\/?$/m);
  assert.match(listing, /^drwxr-xr-x 0\/0 .* srv\/data\/?$/m);
  assert.match(listing, /^l.* usr\/bin\/sh -> \/usr\/lib\/walt\/bin\/busybox$/m);
  const folders = listing.split('\n').filter((line) => line.startsWith('d'));
  assert.ok(
    folders.findIndex((line) => / usr\/?$/.test(line)) <
      folders.findIndex((line) => / usr\/bin\/?$/.test(line)),
  );
});
