/**
 * `walt node save` and `walt node verify` with the real ssh, the real server and the real program that a node is lent. Of the node,
 * its sshd is this machine's, and its agent a process with a root of its own.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { NodeChange } from '@walt/contract';
import { serverArchitecture } from '../../server/src/images/architectures.ts';
import { defaultImageName } from '../../server/src/images/index.ts';
import { loopbackNet } from '../../server/test/network.ts';
import { result } from '../../server/test/platform.ts';
import { openClient } from './client.ts';
import { serveSsh } from './node-ssh.ts';

const { server, checkout } = await openClient({ subnet: loopbackNet() });
const { images } = server.platform;
const served = new AsyncDisposableStack();
const caller = { uid: 0, user: 'alice', role: 'member' as const };

/** The root of the agent, as the initramfs is. */
const root = mkdtempSync(join(tmpdir(), 'walt-cli-initramfs-'));
const upper = join(root, 'rw/changes');
let agent: ChildProcess;

async function startAgent(): Promise<void> {
  const mounted = 'mount -t proc proc "$0/proc" && exec chroot "$0" /walt-agent';
  agent = spawn('unshare', ['--mount', '--', 'sh', '-c', mounted, root], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(agent.stdout as NonNullable<typeof agent.stdout>, 'data');
}

async function endAgent(): Promise<void> {
  const ended = once(agent, 'close');
  agent.stdin?.end();
  await ended;
}

/** An image with this machine's tar, as the default image has one. */
async function addDefault(): Promise<void> {
  const tar = join(server.folder, 'default.tar');
  const words = execFileSync('ldd', ['/usr/bin/tar'], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  execFileSync('tar', ['-chf', tar, '--transform=s,^/,,', '-P', '/usr/bin/tar', ...words]);
  const target = { owner: 'waltplatform', name: defaultImageName(serverArchitecture()) };
  await result(images.importTar('root', { tar, architecture: serverArchitecture() }, target, true));
}

before(async () => {
  for (const folder of ['bin', 'dev', 'proc', 'rw/changes'])
    mkdirSync(join(root, folder), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  execFileSync('mknod', [join(root, 'dev/null'), 'c', '1', '3']);
  writeFileSync(join(root, 'walt-agent'), '#!/bin/busybox sh\necho up\nread -r _\n', { mode: 0o755 });
  await startAgent();
  await addDefault();
  await server.addTree('alice/debian', {
    ...{ 'etc/motd': 'old\n', 'etc/gone': 'old\n', 'var/log/old': '' },
  });
  await server.addNode('vnode1');
  served.use(await serveSsh(server, 'vnode1'));
  await server.addNode('bobs', 'bob/x', 'physical');
});
beforeEach(() => {
  rmSync(upper, { recursive: true });
  mkdirSync(join(upper, 'etc'), { recursive: true });
  writeFileSync(join(upper, 'etc/motd'), 'new\n');
  execFileSync('mknod', [join(upper, 'etc/gone'), 'c', '0', '0']);
  mkdirSync(join(upper, 'var/log'), { recursive: true });
  writeFileSync(join(upper, 'var/log/syslog'), 'words\n');
  writeFileSync(join(upper, 'etc/hosts'), '10.0.0.9 other\n');
  server.calls.length = 0;
});
after(async () => {
  await endAgent();
  await served.disposeAsync();
  rmSync(root, { recursive: true });
});

const digestOf = async (name: string) => (await images.find('alice', name))?.digest;
const save = (...words: string[]) => checkout.run(['node', 'save', 'vnode1', ...words]);

describe('node save', () => {
  test('--dry-run lists what would be saved, and saves nothing', async () => {
    const { status, stdout, stderr } = await save('saved', '--dry-run');
    assert.deepEqual([status, stdout], [0, 'D /etc/gone\nM /etc/motd\n'], stderr);
    assert.match(stderr, /You changed files: 1 modified, 1 deleted\.\n(?! )/);
    const { changes } = JSON.parse((await save('saved', '--dry-run', '--json')).stdout) as {
      changes: NodeChange[];
    };
    assert.deepEqual(
      changes.map(({ kind, path, leftOut }) => [kind, path, leftOut]),
      [
        ['D', '/etc/gone', null],
        ['A', '/etc/hosts', 'platform'],
        ['M', '/etc/motd', null],
        ['A', '/var/log/syslog', 'list'],
      ],
    );
    assert.equal(await digestOf('saved'), undefined);
    assert.deepEqual(
      server.calls.filter(([name]) => name.startsWith('node.changes')),
      [
        ['node.changes.open', { name: 'vnode1', yes: true }],
        ['node.changes.open', { name: 'vnode1', yes: true }],
      ],
    );
  });

  test('saves under a new name, and tells what', async () => {
    const { status, stdout, stderr } = await save('saved');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^alice\/saved is saved \(sha256:[0-9a-f]{12}\)\.\n$/);
    assert.match(
      stderr,
      /You changed files: 1 modified, 1 deleted\.\n {2}D \/etc\/gone\n {2}M \/etc\/motd\n/,
    );
    const [step] = await images.history.log({ owner: 'alice', name: 'saved' });
    assert.deepEqual([step?.action, step?.detail], ['save', 'on vnode1']);
    const kind = (path: string) =>
      images.get('alice', 'saved').then((image) => images.kindOfFile(image, path));
    assert.equal(await kind('/etc/gone'), undefined);
    assert.equal(await kind('/var/log/syslog'), undefined);
    assert.equal(await kind('/etc/motd'), 'file');
  });

  test('asks on a terminal, and saves nothing when the answer is no', async () => {
    using pty = checkout.terminal(['node', 'save', 'vnode1', 'asked']);
    await pty.expect(/Save it as asked\? \[y\/N\]/);
    pty.type('n\r');
    assert.equal(await pty.exited, 1);
    assert.match(pty.output, /nothing was saved/);
    assert.equal(await digestOf('asked'), undefined);
  });

  test('another image of that name is replaced only with a yes', async () => {
    const other = await server.addTree('alice/other', { 'etc/other': '' });
    const { status, stderr } = await save('other');
    assert.equal(status, 1);
    assert.match(stderr, /You have an image other already; it would be replaced\.\n.*--yes/);
    assert.equal(await digestOf('other'), other.digest);
    assert.equal((await save('other', '--yes')).status, 0);
    assert.notEqual(await digestOf('other'), other.digest);
  });

  test('the image that the node boots gets a new version, and who runs the old one is told', async () => {
    const before = await images.get('alice', 'debian');
    const { status, stdout, stderr } = await save('debian', '--json');
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), {
      ...{ node: 'vnode1', image: 'alice/debian', digest: await digestOf('debian'), changed: true },
      nodes: ['vnode1'],
    });
    const { layers } = await images.get('alice', 'debian');
    assert.deepEqual(layers.slice(0, -1), before.layers);
    // What the node runs is an older version now: to save over the newer one is a question.
    assert.match((await save('debian')).stderr, /would be replaced/);
    await server.catalogue.point(before, before, 'any', { user: 'alice', action: 'undo' });
  });

  test('nothing is saved where nothing changed', async () => {
    rmSync(join(upper, 'etc'), { recursive: true });
    const { status, stdout, stderr } = await save('nothing');
    assert.deepEqual([status, stdout], [0, ''], stderr);
    assert.match(stderr, /Nothing was changed that would be saved/);
  });

  test('a file name of a node steers no terminal', async () => {
    writeFileSync(join(upper, 'etc/\x1b]0;pwned\x07'), '');
    const { stdout, stderr } = await save('steered', '--dry-run');
    assert.match(stdout, /A \/etc\/\\x1b\]0;pwned\\x07\n/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    assert.doesNotMatch(stdout + stderr, /[\x1b\x07]/);
  });

  test('a name that no image can have is refused before the node is asked', async () => {
    writeFileSync(join(upper, 'etc/.wh.x'), '');
    const { status, stderr } = await save('refused');
    assert.equal(status, 1);
    assert.match(stderr, /"\/etc\/\.wh\.x" cannot be saved/);
    assert.equal(await digestOf('refused'), undefined);
  });

  test("another user's node is refused", async () => {
    const { status, stderr } = await checkout.run(['node', 'save', 'bobs', 'mine']);
    assert.equal(status, 1);
    assert.match(stderr, /Node bobs is off\./, 'root may, once it has booted');
    const { changes } = server.services.calls.node;
    const signal = AbortSignal.timeout(60_000);
    await assert.rejects(changes.open(caller, { name: 'bobs', yes: false }, signal), { code: 'FORBIDDEN' });
    await assert.rejects(changes.parts(caller, { name: 'bobs' }, signal), { code: 'FORBIDDEN' });
  });

  test("what another user's node has sent is nobody else's to save", async () => {
    const { changes } = server.services.calls.node;
    const signal = AbortSignal.timeout(60_000);
    const job = '0'.repeat(32);
    await assert.rejects(changes.save(caller, { job }, signal), { code: 'NOT_FOUND' });
  });

  test('where the agent is gone, that is told', async () => {
    await endAgent();
    const { status, stderr } = await save('agentless');
    assert.equal(status, 1);
    assert.match(stderr, /The agent of vnode1 does not run any more/);
    await startAgent();
  });
});

describe('node verify', () => {
  test('tells what differs, with status 1', async () => {
    const { status, stdout, stderr } = await checkout.run(['node', 'verify', 'vnode1']);
    assert.equal(status, 1, stderr);
    assert.match(stdout, /^vnode1 runs alice\/debian \(sha256:[0-9a-f]{12}\)\.\n/);
    assert.match(stdout, /M \/etc\/motd\n/);
    assert.match(stdout, /A \/etc\/hosts {2}\(the platform's\)\n/);
    assert.match(stdout, /A \/var\/log\/syslog {2}\(left out of a save\)\n/);
    const { same, parts } = JSON.parse((await checkout.run(['node', 'verify', 'vnode1', '--json'])).stdout);
    const digest = await digestOf('debian');
    assert.equal(same, false);
    assert.deepEqual(parts[0], { part: 'image', ran: digest, now: digest });
  });

  test('what a save leaves out does not count', async () => {
    rmSync(join(upper, 'etc'), { recursive: true });
    const { status, stdout, stderr } = await checkout.run(['node', 'verify', 'vnode1']);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /Nothing differs from alice\/debian on vnode1\.\n$/);
  });

  test('an image that has a newer version differs', async () => {
    rmSync(join(upper, 'etc'), { recursive: true });
    const old = await images.get('alice', 'debian');
    await server.addTree('alice/debian', { 'etc/motd': 'newer\n', 'var/log/old': '' });
    const { status, stdout } = await checkout.run(['node', 'verify', 'vnode1']);
    assert.equal(status, 1);
    assert.match(
      stdout,
      /\nimage: vnode1 was given sha256:[0-9a-f]{12}, and would be given sha256:[0-9a-f]{12} now\.\n/,
    );
    await server.catalogue.point(old, old, 'any', { user: 'alice', action: 'undo' });
  });

  test('what cannot be told ends with 2', async () => {
    const { status, stderr } = await checkout.run(['node', 'verify', 'bobs']);
    assert.equal(status, 2);
    assert.match(stderr, /Node bobs is off\./);
  });
});
