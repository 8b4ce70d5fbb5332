import assert from 'node:assert/strict';
import { chmod, mkdtemp, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { attempt, hostNetwork, isUserError, namespaceFile, run } from '../platform/index.ts';
import { ensureNamespace, removeNamespace } from './namespace.ts';

const namespace = `wt${process.pid}`;
const config = { state: '/srv/one', network: { namespace } };
const inside = (...argv: string[]) => run(['nsenter', `--net=${namespaceFile(namespace)}`, '--', ...argv]);
const names = async () => (await run(['ip', 'netns', 'list'])).split('\n').map((line) => line.split(' ')[0]);

describe('ensureNamespace', () => {
  afterEach(async () => {
    for (const name of [namespace, `${namespace}-host`]) await attempt(['ip', 'netns', 'delete', name]);
  });

  it('makes a namespace with a loopback, from which the host’s one is reached', async () => {
    await ensureNamespace(config);
    await ensureNamespace(config);
    await inside('busybox', 'ping', '-c', '1', '-W', '1', '127.0.0.1');
    const host = await readlink('/proc/self/ns/net');
    assert.notEqual((await inside('readlink', '/proc/self/ns/net')).trim(), host);
    assert.equal((await inside(...hostNetwork(config, ['readlink', '/proc/self/ns/net']))).trim(), host);
  });

  it('refuses one of another platform, and names both', async () => {
    await ensureNamespace(config);
    const other = { state: '/srv/two', network: { namespace } };
    for (const action of [ensureNamespace, removeNamespace]) {
      await assert.rejects(
        action(other),
        (error) =>
          isUserError(error) &&
          error.code === 'CONFLICT' &&
          error.message.includes('/srv/one') &&
          error.message.includes('/srv/two'),
      );
    }
    assert.ok((await names()).includes(namespace));
  });

  it('refuses one that somebody else uses, and takes one that a killed start left', async () => {
    await run(['ip', 'netns', 'add', namespace]);
    await run(['ip', '-netns', namespace, 'link', 'add', 'eth0', 'type', 'bridge']);
    await assert.rejects(ensureNamespace(config), (error) => isUserError(error) && error.code === 'CONFLICT');
    await run(['ip', '-netns', namespace, 'link', 'delete', 'eth0']);
    await ensureNamespace(config);
  });

  it('names the host’s namespace anew when the name stands for another one', async () => {
    await run(['ip', 'netns', 'add', `${namespace}-host`]);
    await ensureNamespace(config);
    const host = await readlink('/proc/self/ns/net');
    assert.equal((await run(hostNetwork(config, ['readlink', '/proc/self/ns/net']))).trim(), host);
  });

  it('leaves nothing after removeNamespace, which is idempotent', async () => {
    await ensureNamespace(config);
    await removeNamespace(config);
    await removeNamespace(config);
    assert.deepEqual(
      (await names()).filter((name) => name?.startsWith(namespace)),
      [],
    );
  });
});

describe('what a machine lacks', () => {
  /** Runs ensureNamespace in a process of its own, behind a prefix, and answers how it ended. */
  const tryBehind = async (...prefix: string[]) => {
    const script = `
      import { ensureNamespace } from ${JSON.stringify(join(import.meta.dirname, 'namespace.ts'))};
      try { await ensureNamespace(${JSON.stringify(config)}); console.log('made'); }
      catch ({ code, message, hint }) { console.log(code, message, hint); }`;
    return run([...prefix, process.execPath, '--input-type=module', '--eval', script]);
  };

  it('root', async () => {
    const output = await tryBehind('setpriv', '--reuid=65534', '--clear-groups', '--');
    assert.match(output, /^FORBIDDEN .*root.*sudo/);
  });

  it('the program ip', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'walt-path-'));
    await chmod(empty, 0o755);
    try {
      assert.match(await tryBehind('env', `PATH=${empty}`), /^UNAVAILABLE .*"ip".*iproute2/);
    } finally {
      await rm(empty, { recursive: true });
    }
  });

  it('/dev/net/tun', async () => {
    const hidden = 'mount -t tmpfs none /dev/net && exec "$@"';
    const output = await tryBehind('unshare', '--mount', 'sh', '-c', hidden, 'sh');
    assert.match(output, /^UNAVAILABLE .*\/dev\/net\/tun.*modprobe tun/);
  });
});
