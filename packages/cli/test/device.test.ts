/** `walt device`, against the server itself; machines on walt-net are played. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, beforeEach, describe, test } from 'node:test';
import { loopbackNet } from '../../server/test/network.ts';
import { openClient } from './client.ts';
import { listenSsh } from './node-ssh.ts';

const net = loopbackNet();
const { server, checkout } = await openClient({ subnet: net });
/** In the upper half, which DHCP lends. */
const address = (last: number) => net.replace(/0\/24$/, String(last));

const BOARD = 'b8:27:eb:12:34:56';
const walt = (...words: string[]) => checkout.run(['device', ...words]);
const devices = async () => JSON.parse((await walt('show', '--json')).stdout);
const device = async (name: string) => (await devices()).find((one: { name: string }) => one.name === name);

before(async () => {
  await server.addImage('waltplatform/pc-x86-64-default');
  await server.addImage('alice/debian');
  await server.addImage('bob/x');
});

beforeEach(async () => {
  await server.clear({ keepDigests: true });
  for (const { mac } of await server.devices.all()) {
    await server.neighbours.forgetLeases(mac);
    await server.devices.forget(mac);
  }
  await server.addImage('waltplatform/pc-x86-64-default');
  await server.addImage('alice/debian');
  await server.addImage('bob/x');
  server.neighbours.ask(
    BOARD,
    { hostname: 'printer', vendorClass: 'ACME\\x1b[2J', architecture: 41 },
    address(200),
  );
  await server.devices.look();
  server.devices.asked(address(200), 'tftp', 'bootcode.bin');
});

describe('device show', () => {
  test('tells of what is no node all that it told, and who made it', async () => {
    const { status, stdout, stderr } = await walt('show');
    assert.deepEqual([status, stderr], [0, '']);
    const line = stdout.split('\n').find((one) => one.startsWith('unknown-b827eb123456'));
    assert.match(
      line ?? '',
      /200 +b8:27:eb:12:34:56 +Raspberry Pi Foundation +ACME\\x1b\[2J +Raspberry Pi +printer +tftp:bootcode\.bin +20/,
    );
    assert.match(stdout, /^walt-server +127\./m);
    assert.match(stdout, /`walt device config NAME type=node model=MODEL` makes one a node/);
  });

  test('has nodes and the server first, and keeps the fields that programs know', async () => {
    await server.addNode('vnode1');
    const all = await devices();
    assert.deepEqual(
      all.map(({ name, type }: { name: string; type: string }) => [name, type]),
      [
        ['walt-server', 'server'],
        ['vnode1', 'node (virtual)'],
        ['unknown-b827eb123456', 'unknown'],
      ],
    );
    const { ip, mac, files, first, last, notes } = all[2];
    assert.deepEqual([ip, mac, files, notes], [address(200), BOARD, ['tftp:bootcode.bin'], []]);
    assert.ok(first > 1_700_000_000 && last >= first);
  });

  test('tells which port of a switch a node says that it is plugged into', async () => {
    await server.addNode('board', 'alice/debian', 'physical');
    const { mac } = await server.nodes.lookup.row('board');
    server.devices.pluggedInto(mac, { mac: '00:1b:21:0a:0b:0c', port: 'gi3' });
    assert.match((await walt('show')).stdout, /^board .* 00:1b:21:0a:0b:0c port gi3/m);
    const { neighbour } = await device('board');
    assert.deepEqual([neighbour.mac, neighbour.port], ['00:1b:21:0a:0b:0c', 'gi3']);
  });

  test('and node show tell of two machines with one hardware address', async () => {
    await server.addNode('board', 'alice/debian', 'physical');
    const { mac } = await server.nodes.lookup.row('board');
    for (const uuid of ['11', '22', '11']) server.neighbours.ask(mac, { uuid: uuid.repeat(16) });
    assert.match(
      (await walt('show')).stdout,
      /^! board, 20.*: Two machines have this hardware address: UUID/m,
    );
    assert.match(
      (await checkout.run(['node', 'show'])).stdout,
      /^! board, 20.*: Its adapter is in another machine/m,
    );
    const [node] = JSON.parse((await checkout.run(['node', 'show', '--json'])).stdout);
    assert.deepEqual(
      node.notes.map(({ kind }: { kind: string }) => kind),
      ['other-machine', 'two-machines'],
    );
  });
});

describe('device config', () => {
  test('makes an unknown device a node, with the name that it was given', async () => {
    assert.equal(
      (await walt('config', 'unknown-b827eb123456')).stdout,
      'unknown-b827eb123456\n  type=unknown\n',
    );
    await walt('rename', 'unknown-b827eb123456', 'pc7');
    const made = await walt('config', 'pc7', 'type=node', 'model=pc-x86-64');
    assert.deepEqual(
      [made.status, made.stdout],
      [0, 'pc7 has type=node, model=pc-x86-64 now.\n'],
      made.stderr,
    );
    assert.equal((await device('pc7')).type, 'node (physical)');
    const node = await server.nodes.lookup.row('pc7');
    assert.deepEqual([node.mac, node.ip, node.architecture], [BOARD, address(200), 'amd64']);
    assert.match(
      (await walt('config', 'pc7')).stdout,
      /^pc7\n {2}type=node\n {2}model=pc-x86-64\n {2}power=none/,
    );
    const changed = await walt('config', 'pc7', 'type=node', 'boot.timeout=300');
    assert.equal(changed.stdout, 'pc7 has type=node, boot.timeout=300 now.\n', changed.stderr);
    assert.match((await walt('config', 'pc7')).stdout, /boot\.timeout=300 {2}\(set\)/);
    assert.match((await walt('config', 'pc7', 'colour=red')).stderr, /There is no setting "colour"/);
  });

  const refused: [words: string[], told: RegExp][] = [
    [['unknown-b827eb123456', 'model=pc-x86-64'], /is no node yet[\s\S]*type=node model=MODEL/],
    [['unknown-b827eb123456', 'type=node'], /is no node yet/],
    [
      ['unknown-b827eb123456', 'type=node', 'model=pc-x86-46'],
      /no model "pc-x86-46"[\s\S]*mean pc-x86-32 or pc-x86-64/,
    ],
    [['unknown-b827eb123456', 'type=toaster', 'model=pc-x86-64'], /"toaster" is no type/],
    [['unknown-b827eb123456', 'type=node', 'model=pc-x86-64', 'colour=red'], /has no other settings/],
    [['unknown-b827eb123456', 'red'], /does not look like NAME=VALUE/],
    [['unknown-b827eb123457', 'type=node'], /no device named[\s\S]*mean unknown-b827eb123456/],
    [['walt-server', 'type=node', 'model=pc-x86-64'], /is the server/],
  ];
  for (const [words, told] of refused) {
    test(`refuses ${words.join(' ')}`, async () => {
      const { status, stderr } = await walt('config', ...words);
      assert.notEqual(status, 0);
      assert.match(stderr, told);
      assert.equal((await server.nodes.store.all()).length, 0);
    });
  }
});

describe('device rename', () => {
  test('gives a name that no node may take then, nor the other way round', async () => {
    await server.addNode('vnode1');
    assert.equal((await walt('rename', 'unknown-b827eb123456', 'printer')).status, 0);
    assert.equal((await device('printer')).mac, BOARD);
    for (const words of [
      ['device', 'rename', 'printer', 'vnode1'],
      ['node', 'create', 'printer'],
      ['node', 'rename', 'vnode1', 'printer'],
    ]) {
      const { status, stderr } = await checkout.run(words);
      assert.equal(status, 1, words.join(' '));
      assert.match(stderr, /There is a (?:node or )?device named/);
    }
    assert.match((await walt('rename', 'printer', 'unknown-1')).stderr, /another name/);
  });

  test("asks before it renames somebody else's node", async () => {
    await server.addNode('bobs', 'bob/x', 'physical');
    const { status, stderr } = await walt('rename', 'bobs', 'mine');
    assert.equal(status, 1);
    assert.match(stderr, /bobs is in use by bob/);
    assert.equal((await walt('rename', 'bobs', 'mine', '--yes')).stdout, 'bobs is called mine now.\n');
  });
});

describe('device forget', () => {
  test('forgets what is no node, and its lease', async () => {
    const { status, stdout } = await walt('forget', 'unknown-b827eb123456');
    assert.deepEqual([status, stdout], [0, 'unknown-b827eb123456 is forgotten.\n']);
    assert.deepEqual(
      (await devices()).map(({ name }: { name: string }) => name),
      ['walt-server'],
    );
  });

  test('forgets a free node once its user has agreed; refuses those in use, and virtual ones', async () => {
    await server.addNode('mine', 'alice/debian', 'physical');
    await server.addNode('free1', 'waltplatform/pc-x86-64-default', 'physical');
    await server.addNode('vnode1');
    assert.match(
      (await walt('forget', 'mine')).stderr,
      /mine is in use by alice[\s\S]*walt node release mine/,
    );
    assert.match((await walt('forget', 'vnode1')).stderr, /virtual node[\s\S]*walt node remove vnode1/);
    assert.match((await walt('forget', 'free1')).stderr, /deletes what is stored in \/persist/);
    assert.equal((await walt('forget', 'free1', '--yes')).status, 0);
    const names = (await server.nodes.store.all()).map(({ name }) => name);
    assert.deepEqual(names, ['mine', 'vnode1']);
  });
});

describe('device ping', () => {
  test('reaches what has an address', async () => {
    const { status, stdout } = await walt('ping', 'unknown-b827eb123456', '-c', '1');
    assert.equal(status, 0, stdout);
    assert.match(stdout, /1 packets transmitted, 1 received/);
    server.neighbours.ask('b8:27:eb:00:00:01');
    assert.match((await walt('ping', 'unknown-b827eb000001')).stderr, /has no address now/);
  });
});

describe('device shell', () => {
  /** An sshd of this machine at that address, with a host key of its own and the user's own key. */
  async function serve(name: string, ip: string): Promise<AsyncDisposable> {
    const folder = join(server.folder, `ssh-${name}`);
    mkdirSync(folder, { mode: 0o700 });
    const [key, config] = [join(folder, 'key'), join(folder, 'sshd_config')];
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const lines = [`HostKey ${key}`, `AuthorizedKeysFile ${join(server.folder, 'own-key.pub')}`];
    const others = ['PermitRootLogin yes', 'StrictModes no', 'UsePAM no', `SetEnv HOME=${folder}`];
    writeFileSync(config, `${[...lines, ...others].join('\n')}\n`);
    return listenSsh(ip, config);
  }
  const shell = (...words: string[]) =>
    checkout.run(['device', 'shell', ...words], {
      input: 'echo "on $USER"\n',
      env: { SSH_AUTH_SOCK: join(server.folder, 'agent') },
    });

  test('logs in by the keys of the user; notes the host key, and refuses another one', async (t) => {
    const [agent, key] = [join(server.folder, 'agent'), join(server.folder, 'own-key')];
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const running = spawn('ssh-agent', ['-D', '-a', agent], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => running.kill());
    await once(running.stdout, 'data');
    execFileSync('ssh-add', ['-q', key], { env: { ...checkout.env, SSH_AUTH_SOCK: agent } });
    {
      await using _ = await serve('first', address(200));
      const first = await shell('unknown-b827eb123456');
      assert.equal(first.stdout, 'on root\n', first.stderr);
      assert.match(first.stderr, /Permanently added 'walt-device-b8-27-eb-12-34-56'/);
      const again = await shell('unknown-b827eb123456', '--user', 'root');
      assert.equal(again.stdout, 'on root\n', again.stderr);
      assert.doesNotMatch(again.stderr, /Permanently added/);
    }
    await using _ = await serve('second', address(200));
    const other = await shell('unknown-b827eb123456');
    assert.equal(other.status, 255);
    assert.match(other.stderr, /REMOTE HOST IDENTIFICATION HAS CHANGED/);
  });

  const refused: [words: string[], told: RegExp][] = [
    [['walt-server'], /is the server itself/],
    [['nobody'], /no device named "nobody"/],
    [['unknown-b827eb123456', '--user', '-oProxyCommand=x'], /is no login name/],
    [['unknown-b827eb123456', '--user', 'a b'], /is no login name/],
  ];
  for (const [words, told] of refused) {
    test(`refuses ${words.join(' ')}`, async () => {
      const { status, stderr } = await walt('shell', ...words);
      assert.equal(status, 1);
      assert.match(stderr, told);
    });
  }

  test('is not for nodes', async () => {
    await server.addNode('vnode1');
    assert.match((await walt('shell', 'vnode1')).stderr, /vnode1 is a node[\s\S]*walt node shell vnode1/);
  });

  test('reaches no other port', async () => {
    const caller = { uid: 1000, user: 'alice', role: 'member' as const };
    const reach = (port: number) =>
      server.services.devices.onNetwork(caller, { name: 'unknown-b827eb123456', port }, async ({ ip }) => ip);
    assert.equal(await reach(22), address(200));
    await assert.rejects(reach(80), { code: 'FORBIDDEN', message: /only SSH/ });
  });
});

test('completion knows devices and what can be set', async () => {
  await server.addNode('vnode1');
  const complete = async (...words: string[]) =>
    (await checkout.run(['complete', '--', ...words])).stdout.trim().split('\n');
  assert.deepEqual(await complete('device', 'ping', 'unknown-'), ['unknown-b827eb123456']);
  assert.deepEqual(await complete('device', 'config', 'unknown-b827eb123456', 't'), ['type=node']);
  assert.deepEqual(await complete('device', 'config', 'x', 'type=node', 'model=pc-x86-6'), [
    'model=pc-x86-64',
  ]);
});
