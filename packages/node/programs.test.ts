/** Programs that scripts on nodes call, and hooks of images, in the root of a node. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { exampleTarget } from '../server/src/boot/example-target.ts';
import { answerRpc, type SwitchPort } from '../server/src/boot/serve/node-rpc.ts';
import { attempt } from '../server/src/platform/index.ts';
import { NodeRoot } from './node-root.fixture.ts';

describe('walt-rpc', () => {
  const told: SwitchPort[] = [];
  const server = createServer(async (request, response) => {
    assert.deepEqual([request.method, request.url], ['POST', '/node/rpc']);
    if (request.headers['x-walt-token'] !== exampleTarget.token) return void response.writeHead(403).end();
    let question = '';
    for await (const chunk of request.setEncoding('utf8')) question += chunk;
    response.end(await answerRpc(question, { pluggedInto: (place) => void told.push(place) }));
  });
  let root: NodeRoot;
  before(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    root = new NodeRoot({ server: `127.0.0.1:${(server.address() as AddressInfo).port}` });
  });
  after(() => {
    root[Symbol.dispose]();
    server.close();
  });
  beforeEach(() => void told.splice(0));
  const run = (...words: string[]) => attempt([...root.inside, ...words]);

  // As scripts of such images call them.
  test('tells the time, which walt-timeout may bound', async () => {
    const { stdout, status } = await run(
      ...['/bin/_walt_internal_/walt-timeout', '20', '/bin/_walt_internal_/walt-rpc', 'sync_clock'],
    );
    assert.equal(status, 0);
    assert.ok(Math.abs(Number(stdout) - Date.now() / 1000) < 60, stdout);
  });

  test('tells what a watcher of LLDP has heard', async () => {
    root.program('bin/walt-lldp-monitor', '/bin/walt-report-lldp-neighbor "$1" "$2"');
    const { stdout, stderr, status } = await run('/bin/walt-lldp-monitor', '00:1B:21:0a:0b:0c', 'gi 3');
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
    assert.deepEqual(told, [{ mac: '00:1b:21:0a:0b:0c', port: 'gi 3' }]);
  });

  test('fails with the server’s words, and with its own', async () => {
    const refused = await run('/bin/walt-rpc', 'register_device', "'x'");
    assert.deepEqual([refused.status, refused.stdout], [1, '']);
    assert.match(refused.stderr, /^walt-rpc: there is no function "register_device"; there are sync_clock,/);
    root.put('etc/walt/token', 'guessed\n', 0o600);
    const stranger = await run('/bin/walt-rpc', 'sync_clock');
    assert.deepEqual([stranger.status, stranger.stderr], [1, 'walt-rpc: the server gives no answer\n']);
    root.put('etc/walt/token', `${exampleTarget.token}\n`, 0o600);
  });

  test('is for root', async () => {
    const { status, stderr } = await attempt([
      ...root.inside.slice(0, -1).map((word) => word.replace('chroot', 'chroot --userspec=65534:65534')),
      ...[root.folder, '/bin/walt-rpc', 'sync_clock'],
    ]);
    assert.deepEqual([status, stderr], [1, 'walt-rpc: only root may ask the server\n']);
  });
});

test('walt-env is for shells that read it', async () => {
  using root = new NodeRoot();
  root.program('bin/reader', '. walt-env; env');
  const { stdout } = await attempt([...root.inside, '/bin/sh', '-c', 'PATH=/bin; reader']);
  for (const line of [
    ...['walt_server_ip=10.73.0.1', `walt_image_id=${'d'.repeat(64)}`, 'walt_image_size_kib=4'],
    ...['walt_server_rpc_port=12345', 'walt_boot_mode=network'],
  ])
    assert.ok(stdout.split('\n').includes(line), `${line} in ${stdout}`);
});

describe('the image’s own way to reboot', () => {
  const find = async (root: NodeRoot) =>
    (await attempt([...root.inside, '/usr/lib/walt/bin/hook', 'find'])).stdout.trim();
  const rows: [what: string, make: (root: NodeRoot) => void, way: string, words: RegExp][] = [
    ['the image has none', () => {}, 'kexec', /^$/],
    [
      'the network’s',
      (root) => root.program('bin/walt-network-reboot', ':'),
      '/bin/walt-network-reboot',
      /^$/,
    ],
    ['that of older images', (root) => root.program('bin/walt-reboot', ':'), '/bin/walt-reboot', /^$/],
    [
      'both',
      (root) =>
        ['walt-reboot', 'walt-network-reboot'].forEach((name) => void root.program(`bin/${name}`, ':')),
      ...(['/bin/walt-network-reboot', /^$/] as const),
    ],
    ['that of another boot mode', (root) => root.program('bin/walt-hybrid-reboot', ':'), 'kexec', /^$/],
    [
      'that of this one',
      (root) => {
        root.program('bin/walt-network-reboot', ':');
        root.program('bin/walt-hybrid-reboot', ':');
        root.put('etc/walt/env', root.read('etc/walt/env').replace('=network', '=hybrid-volatile'));
      },
      ...(['/bin/walt-hybrid-reboot', /^$/] as const),
    ],
    [
      'one that cannot be run',
      (root) => root.program('bin/walt-network-reboot', ':', 0o644),
      ...(['', /^walt: \/bin\/walt-network-reboot is not executable: an ordinary reboot follows$/] as const),
    ],
    [
      'one that needs a server of WalT 10',
      (root) => {
        root.program('usr/local/bin/walt-ipxe-kexec-reboot', ':');
        root.link('bin/walt-network-reboot', '/usr/local/bin/walt-ipxe-kexec-reboot');
      },
      ...(['kexec', /^$/] as const),
    ],
  ];
  for (const [what, make, way, words] of rows) {
    test(`is ${way || 'none'}: ${what}`, async () => {
      using root = new NodeRoot();
      make(root);
      assert.equal(await find(root), way);
      assert.match(root.read('dev/kmsg').trim(), words);
    });
  }

  test('is none of a virtual node', async () => {
    using root = new NodeRoot({ isVirtual: true });
    root.program('bin/walt-network-reboot', ':');
    assert.equal(await find(root), '');
  });
});
