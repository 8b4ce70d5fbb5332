import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { EventEmitter, on, once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { attempt, defaultLimits, HashTree } from '../../platform/index.ts';
import { LAYOUT } from '../boot-files.ts';
import type { KexecLeave, NodeDirectory } from '../directory.ts';
import { exampleDirectory, exampleTarget } from '../example-target.ts';
import { InitArchives, Reads, volumesOf } from '../initramfs/index.ts';
import { NodeFiles } from './node-files.ts';
import { NodeHttp } from './node-http.ts';
import { roomOf } from './poll-report.ts';

const kernel = Buffer.alloc(3_000_000, 'kernel');
const modules = Buffer.from('modules');
const disks = Buffer.from('disks');

/** So many connections for each node. */
const EACH = 8;
const limits = { ...defaultLimits().machines, each: EACH, headSeconds: 1, idleSeconds: 1, bodySeconds: 2 };

let folder: string;
let http: NodeHttp;
/** All of it but its files and limits. */
let parts: Omit<ConstructorParameters<typeof NodeHttp>[0], 'files' | 'limits'>;
let address: string;
/** What the directory answers to polls, set by each test that polls. */
let answerPoll: NodeDirectory['poll'] = async () => 'stay';

/** What was told of boots, as it comes. */
const told = new EventEmitter<{
  reached: Parameters<NodeDirectory['reached']>;
  pluggedInto: Parameters<NodeDirectory['pluggedInto']>;
  disproved: Parameters<NodeDirectory['disproved']>;
}>();

/** By which a host is known. */
const HOST_TOKEN = 'of-a-host';

/** Whoever asks boots this. */
const target = { ...exampleTarget };

const directory: NodeDirectory = {
  ...exampleDirectory(target),
  reached: (...step) => void told.emit('reached', ...step),
  pluggedInto: (...place) => void told.emit('pluggedInto', ...place),
  disproved: async (...volume) => void told.emit('disproved', ...volume),
  poll: (...question) => answerPoll(...question),
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-node-http-'));
  const image = join(folder, 'boot', 'd'.repeat(64));
  await mkdir(image, { recursive: true });
  await writeFile(join(image, 'vmlinuz-virtual'), kernel);
  await writeFile(join(image, 'modules-virtual'), modules);
  await writeFile(join(image, 'disks-virtual'), disks);
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  await mkdir(join(folder, 'volumes'));
  for (const volume of volumesOf(exampleTarget))
    await writeFile(join(folder, 'volumes', volume), Buffer.alloc(65_536));
  const record = { layout: LAYOUT, architecture, kernel: '6.1', bootPlan: 'volumes', models: [] };
  await writeFile(join(image, 'boot.json'), JSON.stringify(record));
  const paths = {
    ...{ bootFiles: join(folder, 'boot'), busybox: folder, loaders: [folder] },
    ...{ reads: join(folder, 'reads'), volumes: join(folder, 'volumes') },
  };
  const server = { server: '10.73.0.1', mac: '02:00:00:00:00:01' };
  const own = { directory, paths, archives: new InitArchives(paths), reads: new Reads(paths) };
  const copies = { knows: (_: string, token: string) => token === HOST_TOKEN, report: async () => '' };
  parts = { ...own, copies };
  http = new NodeHttp({ ...parts, files: new NodeFiles({ ...own, address: server }), limits });
  address = `127.0.0.1:${await http.listen('127.0.0.1', 0)}`;
});
after(async () => {
  await http.close();
  await rm(folder, { recursive: true });
});

/** Waits until a figure has come down to `most`; a file that somebody forgot is closed, with a failure, by the garbage collector. */
async function settled(figure: () => Promise<number>, most: number): Promise<void> {
  for (let tries = 0; (await figure()) > most; tries += 1) {
    assert.ok(tries < 1200, `${await figure()} instead of ${most}`);
    await delay(50);
  }
}

const ask = (path: string, init?: RequestInit) => fetch(`http://${address}${path}`, init);

describe('boot files', () => {
  test('a kernel comes with its length', async () => {
    const answer = await ask(`/boot/files/${'d'.repeat(64)}/vmlinuz-virtual`);
    assert.equal(answer.headers.get('content-length'), '3000000');
    // As GRUB reads it: letter by letter.
    const { stdout } = await attempt(['curl', '--silent', '--head', answer.url]);
    assert.match(stdout, /^Content-Length: 3000000\r$/m);
    assert.ok(kernel.equals(Buffer.from(await answer.arrayBuffer())));
  });

  test('an initramfs is the archive with init, the modules of the image, and what this node must know', async () => {
    const answer = await ask('/node/initramfs');
    const body = Buffer.from(await answer.arrayBuffer());
    assert.equal(answer.headers.get('content-length'), String(body.length));
    const [before, after] = [body.indexOf(modules), body.indexOf(modules) + modules.length];
    const init = gunzipSync(body.subarray(0, before));
    const script = await readFile(new URL('../../../../node/initramfs/init', import.meta.url));
    assert.ok(init.includes(script));
    const own = gunzipSync(body.subarray(after)).toString('latin1');
    assert.match(own, /\nlayer=platform-/);
    assert.match(own, /identity\/etc\/walt\/ssh\/host_key/);
  });

  test('a question for the headers alone gets no more', async () => {
    const answer = await ask(`/boot/files/${'d'.repeat(64)}/vmlinuz-virtual`, { method: 'HEAD' });
    assert.equal(answer.headers.get('content-length'), '3000000');
    assert.equal((await answer.arrayBuffer()).byteLength, 0);
  });

  const missing = [
    `/boot/files/${'d'.repeat(64)}/boot.json`,
    `/boot/files/${'d'.repeat(64)}/modules-virtual`,
    `/boot/files/${'e'.repeat(64)}/vmlinuz-virtual`,
    `/boot/files/${'d'.repeat(64)}/..%2fboot.json`,
    '/boot/files/../../etc/passwd',
    '/',
  ];
  for (const path of missing) {
    test(`${path} is none`, async () => assert.equal((await ask(path)).status, 404));
  }
});

test('what a machine has asked for before it started over is cut off, and that of others is not', async () => {
  const asked = Promise.withResolvers<void>();
  const order = Promise.withResolvers<'stay'>();
  let waiting = 0;
  answerPoll = () => {
    waiting += 1;
    if (waiting === 2) asked.resolve();
    return order.promise;
  };
  const poll = async (localAddress: string) => {
    const url = `http://${address}/node/poll?generation=1`;
    const request = get(url, { localAddress, agent: false, headers: { 'x-walt-token': 'word' } });
    const [response] = await once(request, 'response');
    return response.resume().statusCode;
  };
  const [restarted, other] = [poll('127.0.0.2'), poll('127.0.0.3')];
  const cut = assert.rejects(restarted, { code: 'ECONNRESET' });
  await asked.promise;
  http.reset('127.0.0.2');
  await cut;
  order.resolve('stay');
  assert.equal(await other, 200);
});

test('a node that is reset while it loads leaves nothing open', async () => {
  const files = async () => (await readdir('/proc/self/fd')).length;
  const port = Number(address.split(':')[1]);
  /** Sends a question and resets the connection: at once, or at the first byte of the answer. */
  const reset = (path: string, method: string, atAnswer: boolean) =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(`${method} ${path} HTTP/1.1\r\nhost: x\r\n\r\n`, () => {
          if (!atAnswer) socket.resetAndDestroy();
        });
      });
      socket.once('data', () => socket.resetAndDestroy());
      socket.on('error', () => {});
      socket.on('close', resolve);
    });
  const load = async () => {
    for (const path of [
      '/node/initramfs',
      '/node/archive',
      `/boot/files/${'d'.repeat(64)}/vmlinuz-virtual`,
      '/boot/ipxe',
    ])
      for (const method of ['GET', 'HEAD'])
        for (const atAnswer of [true, false]) await reset(path, method, atAnswer);
  };
  await load();
  await settled(files, await files());
  const before = await files();
  for (let round = 0; round < 20; round += 1) await load();
  await settled(files, before);
});

test('a node with a disk gets the modules for it, behind those that all get', async () => {
  const before = Buffer.from(await (await ask('/node/initramfs')).arrayBuffer());
  assert.equal(before.indexOf(disks), -1);
  target.disk = 'use';
  const body = Buffer.from(await (await ask('/node/initramfs')).arrayBuffer());
  target.disk = 'none';
  assert.equal(body.indexOf(disks), body.indexOf(modules) + modules.length);
  assert.match(
    gunzipSync(body.subarray(body.indexOf(disks) + disks.length)).toString('latin1'),
    /\ndisk=use\n/,
  );
});

test('more connections than one node may have are refused in words', async () => {
  const port = Number(address.split(':')[1]);
  const held = Array.from({ length: EACH }, () =>
    connect(port, '127.0.0.1')
      .on('error', () => {})
      .resume(),
  );
  const ends = held.map((socket) => once(socket, 'close'));
  await Promise.all(held.map((socket) => once(socket, 'connect')));
  const answer = await new Promise<string>((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (bytes) => {
      text += bytes;
    });
    socket.on('close', () => resolve(text));
  });
  assert.match(answer, /^HTTP\/1.1 429 .*this node has too many connections/s);
  await Promise.all(ends); // cut off, since they ask for nothing
  assert.equal((await ask('/node/archive')).status, 200);
});

test('who asks for many files at once is sent few at a time, and all of them', async () => {
  const size = 200_000;
  let [open, most] = [0, 0];
  const files = {
    open: async () => {
      open += 1;
      most = Math.max(most, open);
      const content = Readable.from([Buffer.alloc(size, 'x')], { objectMode: false });
      content.once('close', () => {
        open -= 1;
      });
      return { size, content };
    },
  };
  const server = new NodeHttp({ ...parts, files, limits: { ...limits, idleSeconds: 60 } });
  const port = await server.listen('127.0.0.1', 0);
  const load = async (count: number, isLast: boolean) => {
    const socket = connect(port, '127.0.0.1');
    const ask = (more = '') => `GET /some HTTP/1.1\r\nhost: x\r\n${more}\r\n`;
    socket.write(ask().repeat(count - 1) + ask('connection: close\r\n'));
    if (!isLast) return void socket.destroy();
    let bytes = 0;
    for await (const part of socket) bytes += part.filter((byte: number) => byte === 0x78).length;
    return bytes / size;
  };
  try {
    // Some leave before it is their turn.
    for (let round = 0; round < EACH / 2; round += 1) await load(8, false);
    const loads = await Promise.all(Array.from({ length: EACH / 2 }, () => load(8, true)));
    assert.deepEqual(loads, Array(EACH / 2).fill(8));
    assert.ok(most <= 4, `${most} at a time`);
    await settled(async () => open, 0);
  } finally {
    await server.close();
  }
});

test('what a node has read is told with its token, and the next boot reads it ahead', async () => {
  const report = (token: string) =>
    ask('/node/reads', { method: 'POST', headers: { 'x-walt-token': token }, body: '0 8 8\n2 16 16\n' });
  const own = async () => {
    const body = Buffer.from(await (await ask('/node/initramfs')).arrayBuffer());
    return gunzipSync(body.subarray(body.indexOf(modules) + modules.length)).toString('latin1');
  };
  const volumes = volumesOf(exampleTarget);
  assert.equal((await report('guessed')).status, 403);
  assert.match(await own(), /\nlearn=1\n/);
  assert.equal((await report(exampleTarget.token)).status, 200);
  const archive = await own();
  assert.doesNotMatch(archive, /\nlearn=1\n/);
  assert.ok(archive.includes(`${volumes[0]} 4 4\n${volumes[2]} 8 8\n`));
});

test('a script on a node asks with the node’s token, and is heard as that node', async () => {
  const question = "report_lldp_neighbor\n'00:1b:21:0a:0b:0c'\n'3'";
  const call = (token: string, body = question) =>
    ask('/node/rpc', { method: 'POST', headers: { 'x-walt-token': token }, body });
  const heard = once(told, 'pluggedInto');
  assert.equal((await call('guessed')).status, 403);
  const answer = await call(exampleTarget.token);
  assert.deepEqual([answer.status, await answer.text()], [200, 'RESULT None']);
  assert.deepEqual(await heard, [exampleTarget.mac, { mac: '00:1b:21:0a:0b:0c', port: '3' }]);
  const long = await call(exampleTarget.token, `sync_clock\n'${'x'.repeat(100_000)}'`);
  assert.match(await long.text(), /^ISSUE /);
});

test('a node with another initramfs gets what it must know apart', async () => {
  const archive = Buffer.from(await (await ask('/node/archive')).arrayBuffer());
  const own = gunzipSync(archive).toString('latin1');
  assert.match(own, /\ntoken=/);
  assert.match(own, /identity\/etc\/walt\/ssh\/host_key/);
});

test('what a node has loaded to its end is told, and then its digest', { timeout: 120_000 }, async () => {
  const steps = on(told, 'reached');
  const next = async () => (await steps.next()).value;
  const boot = { ip: '127.0.0.1', digest: exampleTarget.digest };
  const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  await writeFile(join(folder, 'volumes', exampleTarget.platformVolume), 'platform');

  await (await ask(`/boot/files/${'d'.repeat(64)}/vmlinuz-virtual`, { method: 'HEAD' })).arrayBuffer();
  await (await ask(`/boot/files/${'d'.repeat(64)}/vmlinuz-virtual`)).arrayBuffer();
  assert.deepEqual(await next(), [boot, 'kernel']);
  assert.deepEqual(await next(), [boot, 'kernel', { kernel: sha256(kernel) }]);

  const initramfs = Buffer.from(await (await ask('/node/initramfs')).arrayBuffer());
  const common = initramfs.subarray(0, initramfs.indexOf(modules) + modules.length);
  assert.deepEqual(await next(), [boot, 'initramfs']);
  const ran = { initramfs: sha256(common), platform: sha256(Buffer.from('platform')) };
  assert.deepEqual(await next(), [boot, 'initramfs', ran]);

  await (await ask('/node/archive')).arrayBuffer();
  assert.deepEqual(await next(), [boot, 'root']);
});

describe('files of an image that brings its own boot script', () => {
  const image = () => join(folder, 'boot', 'd'.repeat(64));
  before(async () => {
    const served = join(image(), 'walt', 'pc-x86-64');
    await mkdir(join(served, 'dtbs'), { recursive: true });
    await writeFile(join(served, 'start.ipxe'), 'not rendered');
    await writeFile(join(served, 'dtbs', 'two words'), 'tree');
    await writeFile(join(image(), 'walt', 'config-6.1'), 'of /boot');
    await writeFile(join(image(), 'secret'), 'of the server');
    const template = {
      path: 'boot/pc-x86-64/start.ipxe',
      mode: 0o644,
      content: 'chain tftp://%(server_ip)s',
    };
    const templates = [{ ...template, served: ['pc-x86-64/start.ipxe'] }];
    const walt = { bin: 'bin', scripts: { 'pc-x86-64': 'start.ipxe' }, templates, folders: [] };
    const record = JSON.parse(await readFile(join(image(), 'boot.json'), 'utf8'));
    await writeFile(join(image(), 'boot.json'), JSON.stringify({ ...record, bootPlan: 'nfs-root', walt }));
  });

  test('are those of the node’s model, with templates filled in', async () => {
    assert.equal(await (await ask('/boot/start.ipxe')).text(), 'chain tftp://10.73.0.1');
    assert.equal(await (await ask('/boot/dtbs/two%20words')).text(), 'tree');
  });

  test('are found by absolute paths of its scripts too, and so is the rest of its /boot', async () => {
    assert.equal(await (await ask('/start.ipxe')).text(), 'chain tftp://10.73.0.1');
    assert.equal(await (await ask('/dtbs/two%20words')).text(), 'tree');
    assert.equal(await (await ask('/config-6.1')).text(), 'of /boot');
    assert.equal(await (await ask('/boot/config-6.1')).text(), 'of /boot');
    assert.equal(await (await ask('/boot/pc-x86-64/dtbs/two%20words')).text(), 'tree');
  });

  test('hide nothing that is the server’s own', async () => {
    const served = join(image(), 'walt', 'pc-x86-64');
    await mkdir(join(served, 'node'));
    await writeFile(join(served, 'node', 'initramfs'), 'of the image');
    await writeFile(join(served, 'ipxe'), 'of the image');
    assert.doesNotMatch(await (await ask('/node/initramfs')).text(), /of the image/);
    assert.match(await (await ask('/boot/ipxe')).text(), /^#!ipxe/);
  });

  for (const path of [
    ...['/boot/none', '/boot/dtbs', '/none', '/secret', '/boot/secret'],
    ...['/boot/%2e%2e%2fsecret', '/boot/x%2f..%2f..%2fsecret', '/%2e%2e%2f%2e%2e%2fsecret'],
  ]) {
    test(`${path} is no such file`, async () => {
      const answer = await ask(path);
      assert.ok([400, 404].includes(answer.status), String(answer.status));
    });
  }
  test('a name that is no text is refused', async () => {
    assert.equal((await ask('/boot/%ff')).status, 400);
    assert.equal((await ask('/boot/a%00')).status, 400);
  });
});

test('a machine whose hardware address cannot be told must wait', async () => {
  assert.match(await (await ask('/boot/ipxe?mac=52:54:00:00:00:07')).text(), /came from nowhere/);
});

describe('a poll', () => {
  const headers = { 'x-walt-token': 'secret' };

  test('carries generation, state and token, and its answer is the order', async () => {
    const questions: unknown[] = [];
    answerPoll = async (ip, token, report) => {
      questions.push({ ip, token, ...report });
      return 'reboot';
    };
    const answer = await ask('/node/poll?generation=3&booted=1&clock=1790000000', { headers });
    assert.equal(await answer.text(), 'reboot');
    // Of an older agent, or one that lies: a clock that is none is no reason to keep a node waiting.
    for (const clock of ['', '&clock=', '&clock=-1', '&clock=1e3', `&clock=${'9'.repeat(12)}`])
      await ask(`/node/poll?generation=3&booted=1${clock}`, { headers });
    const disk = { mode: 'network', disk: null };
    const question = { ip: '127.0.0.1', token: 'secret', generation: 3, booted: true, disk };
    Object.assign(question, { leaving: false, steps: undefined, room: undefined });
    assert.deepEqual(questions, [
      { ...question, clock: 1_790_000_000 },
      ...Array.from({ length: 5 }, () => ({ ...question, clock: undefined })),
    ]);
  });

  const steps: [query: string, steps: object | undefined][] = [
    ['up=9.50&network=1.2&root=3&init=4.05', { up: 9.5, network: 1.2, root: 3, init: 4.05 }],
    ['up=9.50&network=1.2&root=3', undefined],
    ['up=9.50&network=1.2&root=3&init=', undefined],
    ['up=9.50&network=-1&root=3&init=4', undefined],
    ['up=9.50&network=1e9&root=3&init=4', undefined],
    ['up=9999999&network=1&root=3&init=4', undefined],
    ['up=0x9&network=1&root=3&init=4', undefined],
  ];
  for (const [query, expected] of steps) {
    test(`tells how long steps took, all or none: ${query}`, async () => {
      const asked = Promise.withResolvers<object | undefined>();
      answerPoll = async (_ip, _token, report) => {
        asked.resolve(report.steps);
        return 'stay';
      };
      await ask(`/node/poll?generation=3&booted=0&${query}`, { headers });
      assert.deepEqual(await asked.promise, expected);
    });
  }

  const rooms: [string, string | null, ReturnType<typeof roomOf>][] = [
    ['of an older agent', null, undefined],
    [
      'all',
      '1000,400,500,500,2,300,100',
      {
        memory: { total: 1_024_000, free: 409_600 },
        swap: { total: 512_000, free: 512_000 },
        killed: 2,
        changes: { total: 307_200, free: 102_400 },
      },
    ],
    [
      'without what may be changed',
      '1000,400,0,0,0',
      { memory: { total: 1_024_000, free: 409_600 }, swap: { total: 0, free: 0 }, killed: 0 },
    ],
    ['more than there is', '1000,1001,0,0,0', undefined],
    ['of no memory', '0,0,0,0,0', undefined],
    ['one number too few', '1000,400,0,0', undefined],
    ['a pair too many', '1000,400,0,0,0,1,1,1,1', undefined],
    ['no numbers', '1000,400,-1,0,0', undefined],
    ['beyond all memories', `${'9'.repeat(13)},1,0,0,0`, undefined],
    ['with text behind', '1000,400,0,0,0\n', undefined],
  ];
  for (const [what, text, room] of rooms) {
    test(`tells what a node has left: ${what}`, () => assert.deepEqual(roomOf(text), room));
  }

  const disks: [told: string, expected: object][] = [
    ['mode=hybrid-persistent&disk=complete', { mode: 'hybrid-persistent', disk: 'complete' }],
    ['mode=hybrid-volatile', { mode: 'hybrid-volatile', disk: null }],
    ['disk=none', { mode: 'network', disk: 'none' }],
    [`mode=${'x'.repeat(999)}&disk=%1b[31mred`, { mode: 'network', disk: null }],
  ];
  for (const [told, expected] of disks) {
    test(`tells of the disk: ${told.slice(0, 40)}`, async () => {
      let heard: unknown;
      answerPoll = async (_ip, _token, { disk }) => {
        heard = disk;
        return 'stay';
      };
      await ask(`/node/poll?generation=3&booted=1&${told}`, { headers });
      assert.deepEqual(heard, expected);
    });
  }

  test('with a wrong token gets no order', async () => {
    answerPoll = async () => undefined;
    assert.equal((await ask('/node/poll?generation=3&booted=0', { headers })).status, 403);
  });

  for (const [name, path, init] of [
    ['without a token', '/node/poll?generation=3&booted=0', {}],
    ['without a generation', '/node/poll?booted=0', { headers }],
    ['with a generation that is no number', '/node/poll?generation=x&booted=0', { headers }],
  ] as const) {
    test(`${name} is refused`, async () => {
      answerPoll = async () => assert.fail('asked');
      assert.equal((await ask(path, init)).status, 400);
    });
  }

  test('that the node gives up is given up', { timeout: 120_000 }, async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    answerPoll = async (_ip, _token, _report, signal) => {
      asked.resolve(signal);
      await once(signal, 'abort');
      return 'stay';
    };
    const request = get(`http://${address}/node/poll?generation=3&booted=1`, { headers });
    request.on('error', () => {});
    const signal = await asked.promise;
    request.destroy();
    if (!signal.aborted) await once(signal, 'abort');
  });
});

test('a node whose kernel is to start the next one is told which, and may tell that it does not', async () => {
  const { token } = exampleTarget;
  const leaves: (KexecLeave | undefined)[] = [undefined, 'unwanted', { refusal: 'it changes hands' }];
  const begun: unknown[] = [];
  const refused: string[] = [];
  Object.assign(directory, {
    mayKexec: async () => leaves[0],
    beginBoot: async (...words: unknown[]) => {
      begun.push(words);
      return { ...target, isVirtual: false };
    },
    withoutKexec: async (_ip: string, reason: string) => void refused.push(reason),
  } satisfies Partial<NodeDirectory>);
  const asked = async () => {
    const answer = await ask('/node/kexec', { headers: { 'x-walt-token': token } });
    return [answer.status, await answer.text()];
  };
  assert.deepEqual(await asked(), [403, 'wrong token']);
  leaves.shift();
  assert.deepEqual(await asked(), [200, '']);
  leaves.shift();
  assert.deepEqual(await asked(), [200, '']);
  assert.deepEqual([refused.splice(0), begun], [['it changes hands'], []]);
  leaves[0] = { node: { ...target, digest: `sha256:${'e'.repeat(64)}` } };
  assert.deepEqual(await asked(), [200, '']);
  assert.deepEqual(refused.splice(0), ['the boot files of vnode1 are missing on the server']);
  leaves[0] = { node: { ...target, model: 'unknown-board' } };
  await asked();
  assert.match(refused.splice(0).join(), /^the image of vnode1 is for .*, not for unknown-board$/);
  const tell = (word: string) =>
    ask('/node/kexec', { method: 'POST', headers: { 'x-walt-token': word }, body: 'no memory' });
  assert.equal((await tell('guessed')).status, 403);
  assert.equal((await tell(token)).status, 200);
  assert.deepEqual([refused, begun], [['no memory'], []]);
});

test('what a disk is to hold is told with the token: bytes and checksum of each volume', async () => {
  const told = async (token: string) => ask('/node/volumes', { headers: { 'x-walt-token': token } });
  assert.equal((await told('guessed')).status, 403);
  const volumes = volumesOf(exampleTarget);
  for (const volume of volumes) await writeFile(join(folder, 'volumes', volume), volume);
  const sum = (volume: string) => createHash('sha256').update(volume).digest('hex');
  const expected = volumes.map((volume) => `${volume} ${volume.length} ${sum(volume)}\n`);
  const answers = await Promise.all([told(exampleTarget.token), told(exampleTarget.token)]);
  for (const answer of answers) assert.equal(await answer.text(), expected.join(''));
});

test('a host gets volumes with their hash trees', async () => {
  const [volume = ''] = volumesOf(exampleTarget);
  const content = Buffer.alloc(1_000_000, 'volume');
  await writeFile(join(folder, 'volumes', volume), content);
  const copy = async (token: string, name: string, init?: RequestInit) =>
    ask(`/node/volume?name=${name}`, { ...init, headers: { 'x-walt-token': token } });
  assert.equal((await copy(exampleTarget.token, volume)).status, 403);
  assert.equal((await copy(HOST_TOKEN, 'none.erofs')).status, 404);
  const tree = new HashTree();
  tree.add(content);
  const whole = Buffer.concat([content, tree.end().tail]);
  const answer = await copy(HOST_TOKEN, volume);
  assert.equal(answer.headers.get('content-length'), String(whole.length));
  assert.ok(whole.equals(Buffer.from(await answer.arrayBuffer())));
  const head = await copy(HOST_TOKEN, volume, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), String(whole.length));
});

test('a node that mounts volumes from a host gets what proves them, and may say that one is wrong', async () => {
  const [volume = ''] = volumesOf(exampleTarget);
  target.proofs = [{ name: volume, blocks: 5, root: 'e'.repeat(64) }];
  try {
    const body = Buffer.from(await (await ask('/node/initramfs')).arrayBuffer());
    const own = gunzipSync(body.subarray(body.indexOf(modules) + modules.length)).toString('latin1');
    const device = `/proofs/${volume}.device`;
    assert.ok(own.includes(`1 ${device} ${device} 4096 4096 5 5 sha256 ${'e'.repeat(64)} -\0`));
  } finally {
    target.proofs = [];
  }
  const heard = once(told, 'disproved');
  const tell = (token: string) =>
    ask('/node/disproved', { method: 'POST', headers: { 'x-walt-token': token }, body: volume });
  assert.equal((await tell('guessed')).status, 403);
  assert.equal((await tell(exampleTarget.token)).status, 200);
  assert.deepEqual(await heard, ['127.0.0.1', volume]);
});
