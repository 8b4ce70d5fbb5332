import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleTarget } from '../example-target.ts';
import { identityFiles, identityTree } from './identity.ts';

const contentOf = (path: string, target = exampleTarget) =>
  identityFiles(target).find((file) => file.path === path)?.content;

test('a node knows its name, its server and its own keys', () => {
  assert.equal(contentOf('etc/hostname'), 'vnode1\n');
  assert.match(contentOf('etc/hosts') ?? '', /^10\.73\.0\.2 vnode1\.walt vnode1$/m);
  assert.equal(contentOf('etc/resolv.conf'), 'nameserver 10.73.0.1\nsearch walt\n');
  assert.equal(contentOf('etc/walt/ssh/principals'), 'walt-node-7\n');
  assert.equal(contentOf('etc/walt/ssh/host_key'), exampleTarget.identity.hostKey);
});

test('scripts on a node learn of their server, image and kind of node', () => {
  const env = contentOf('etc/walt/env')?.split('\n') ?? [];
  for (const line of [
    'walt_server_ip=10.73.0.1',
    `walt_image_id=${'d'.repeat(64)}`,
    'walt_node_type=virtual',
  ])
    assert.ok(env.includes(`export ${line}`), line);
  assert.match(contentOf('etc/walt/env', { ...exampleTarget, isVirtual: false }) ?? '', /_type=physical$/m);
  assert.match(contentOf('etc/walt/env') ?? '', /^export walt_logs=$/m);
  const logs = ['journal', 'netconsole'] as const;
  assert.match(
    contentOf('etc/walt/env', { ...exampleTarget, logs }) ?? '',
    /^export walt_logs=journal,netconsole$/m,
  );
});

test('a machine id stays the same at each boot and differs between nodes', () => {
  const id = contentOf('etc/machine-id');
  assert.match(id ?? '', /^[0-9a-f]{32}\n$/);
  assert.equal(contentOf('etc/machine-id', { ...exampleTarget, name: 'renamed', generation: 9 }), id);
  assert.notEqual(contentOf('etc/machine-id', { ...exampleTarget, nodeId: 8 }), id);
});

test('the layer holds folders that sshd trusts, and secrets that only root reads', () => {
  const entries = identityTree(exampleTarget);
  const folders = entries.filter(({ type }) => type === 'folder');
  assert.deepEqual(
    folders.filter((folder) => !('mode' in folder) || folder.mode !== 0o755),
    [],
  );
  assert.ok(folders.some(({ path }) => path === 'persist'));
  assert.deepEqual(
    entries.filter((one) => 'mode' in one && one.mode === 0o600).map(({ path }) => path),
    ['etc/walt/token', 'etc/walt/ssh/host_key'],
  );
  assert.equal(entries[0]?.path, 'etc');
});

test('what an image is lent is in the layer: files, folders with their modes, links', () => {
  const entries = identityTree(exampleTarget, [
    { type: 'file', path: 'etc/shadow', mode: 0o600, content: 'root:*:1::::::\n' },
    { type: 'folder', path: 'tmp', mode: 0o1777 },
    { type: 'folder', path: 'srv/data', mode: 0o755 },
    { type: 'link', path: 'usr/bin/sh', target: '/usr/lib/walt/bin/busybox' },
  ]);
  const find = (path: string) => entries.find((entry) => entry.path === path);
  const shadow = { type: 'file', path: 'etc/shadow', mode: 0o600, content: Buffer.from('root:*:1::::::\n') };
  assert.deepEqual(find('etc/shadow'), shadow);
  assert.deepEqual(find('tmp'), { type: 'folder', path: 'tmp', mode: 0o1777 });
  assert.deepEqual(find('srv/data'), { type: 'folder', path: 'srv/data', mode: 0o755 });
  const sh = { type: 'link', path: 'usr/bin/sh', target: '/usr/lib/walt/bin/busybox' };
  assert.deepEqual(find('usr/bin/sh'), sh);
  const paths = entries.map(({ path }) => path);
  assert.ok(paths.indexOf('usr') < paths.indexOf('usr/bin'));
  assert.ok(paths.indexOf('usr/bin') < paths.indexOf('usr/bin/sh'));
});
