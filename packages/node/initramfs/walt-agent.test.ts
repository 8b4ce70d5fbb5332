import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, beforeEach, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { until } from '../../../test/until.ts';
import { kexecCall } from '../../server/src/boot/binaries/index.ts';
import { NodeRoot } from '../node-root.fixture.ts';

const AGENT = fileURLToPath(new URL('walt-agent', import.meta.url));
const NAMESPACE = `wt${process.pid}`;
/** Both ends of a link between the server, here, and the node, in a network namespace. */
const LINK = { server: `${NAMESPACE}s`, node: `${NAMESPACE}n` };
const ADDRESS = { server: '198.18.73.1', node: '198.18.73.2' };

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });
/** In the node's network, and with processes of its own: what `reboot` ends there is this namespace alone. */
const onNode = (...argv: string[]) => [
  'ip',
  'netns',
  'exec',
  NAMESPACE,
  'unshare',
  '--pid',
  '--fork',
  '--mount-proc',
  ...argv,
];

interface Poll {
  /** Without clock and room. */
  query: string;
  /** Numbers in KiB. */
  room: string | undefined;
  /** Unix time in seconds. */
  clock: number;
  token: string | undefined;
  answer(order: string): void;
}

const polls = new EventEmitter<{ poll: [Poll] }>();
/** Answers what is no poll; set by each test in which something else is asked. */
let others = (_path: string, _body: string, response: ServerResponse): void => void response.end();
const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
  if (!request.url?.startsWith('/node/poll')) return others(request.url ?? '', await text(request), response);
  const token = request.headers['x-walt-token'];
  polls.emit('poll', {
    query: (request.url ?? '').replace(/&(?:clock=\d+|room=[\d,]+)/g, ''),
    clock: Number(/&clock=(\d+)/.exec(request.url ?? '')?.[1]),
    room: /&room=([\d,]+)/.exec(request.url ?? '')?.[1],
    token: typeof token === 'string' ? token : undefined,
    answer: (order) => response.end(order),
  });
});
const children: ChildProcess[] = [];

function start([file = '', ...args]: string[], stdin: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const env = { ...process.env, server: `${ADDRESS.server}:${port}`, generation: '3', token: 'secret' };
  const child = spawn(file, args, { env, stdio: [stdin, 'ignore', 'ignore'] });
  children.push(child);
  return child;
}

async function nextPoll(): Promise<Poll> {
  const [poll] = await once(polls, 'poll');
  return poll;
}

before(() => {
  ip('netns', 'add', NAMESPACE);
  ip('link', 'add', LINK.server, 'type', 'veth', 'peer', 'name', LINK.node, 'netns', NAMESPACE);
  ip('addr', 'add', `${ADDRESS.server}/30`, 'dev', LINK.server);
  ip('link', 'set', LINK.server, 'up');
  ip('-n', NAMESPACE, 'addr', 'add', `${ADDRESS.node}/30`, 'dev', LINK.node);
  ip('-n', NAMESPACE, 'link', 'set', LINK.node, 'up');
});
// Its link goes with it.
after(() => ip('netns', 'del', NAMESPACE));

beforeEach(async () => {
  server.listen(0, ADDRESS.server);
  await once(server, 'listening');
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  server.close();
  server.closeAllConnections();
});

const limit = { timeout: 120_000 };

test('a node is booting until its SSH port listens', limit, async () => {
  start(onNode('--kill-child', AGENT));
  const first = await nextPoll();
  assert.deepEqual([first.query, first.token], ['/node/poll?generation=3&booted=0', 'secret']);
  assert.ok(Math.abs(first.clock - Date.now() / 1000) < 100, `${first.clock} is the clock of this machine`);
  first.answer('stay');
  assert.equal((await nextPoll()).query, '/node/poll?generation=3&booted=0');
  start(onNode('--kill-child', 'socat', 'TCP6-LISTEN:22,fork', 'EXEC:true'));
  const booted = await nextPoll();
  assert.equal(booted.query, '/node/poll?generation=3&booted=1');
  const [total = 0, free = 0, swap = 0, freeSwap = 0] = (booted.room ?? '').split(',').map(Number);
  assert.ok(total > 0 && free > 0 && free <= total && freeSwap <= swap, String(booted.room));
  assert.ok(Math.abs(total - totalmem() / 1024) < 1024, `${total} KiB is this machine's memory`);
});

/** A node whose SSH port listens and whose udev is at work; answers how it tells whether it is up, and udev's file for that. */
async function withBusyUdev(t: TestContext): Promise<{ told: string[]; queue: string }> {
  const run = mkdtempSync(join(tmpdir(), 'walt-agent-'));
  t.after(() => rmSync(run, { recursive: true, force: true }));
  mkdirSync(join(run, 'udev'));
  const queue = join(run, 'udev/queue');
  writeFileSync(queue, '');
  start(onNode('--kill-child', 'sh', '-c', 'mount --bind "$1" /run && exec "$0"', AGENT, run));
  start(onNode('--kill-child', 'socat', 'TCP6-LISTEN:22,fork', 'EXEC:true'));
  const told: string[] = [];
  polls.on('poll', ({ query, answer }) => {
    told.push(query.replace(/.*&/, ''));
    if (query.endsWith('booted=0')) answer('stay');
  });
  t.after(() => polls.removeAllListeners());
  const listening = ['netns', 'exec', NAMESPACE, 'ss', '--listening', '--tcp', '--no-header', 'sport = 22'];
  await until('SSH listens', async () => ip(...listening).length > 0);
  // Longer than the agent's pause between two looks.
  await setTimeout(1000);
  assert.equal(told.at(-1), 'booted=0');
  return { told, queue };
}

test('a node whose SSH port listens is booting until udev has set up its disks', limit, async (t) => {
  const { told, queue } = await withBusyUdev(t);
  rmSync(queue);
  // Sooner than it would give up.
  await until('booted', async () => told.includes('booted=1'), 10_000);
});

test('a device that udev never finishes does not keep a node from being up', limit, async (t) => {
  const { told } = await withBusyUdev(t);
  await until('booted', async () => told.includes('booted=1'));
});

test('an order to reboot is carried out, also while the node boots', limit, async () => {
  const node = start(onNode('--kill-child', AGENT));
  (await nextPoll()).answer('reboot');
  // The kernel ends a process namespace that asks for a restart with SIGHUP (pid_namespaces(7)).
  const [, signal] = await once(node, 'exit');
  assert.equal(signal, 'SIGHUP');
});

test('a node tells how far it came until it is up, and that it goes down', limit, async () => {
  // As an init does when its system goes down: it ends all processes but itself.
  const init = 'steps="&network=0.1&root=0.2&init=0.3" "$0" < /dev/null & read -r _; kill -TERM -1; wait';
  const node = start(onNode('--kill-child', 'sh', '-c', init, AGENT), 'pipe');
  const first = await nextPoll();
  assert.match(
    first.query,
    /^\/node\/poll\?generation=3&booted=0&up=\d+\.\d\d&network=0\.1&root=0\.2&init=0\.3$/,
  );
  first.answer('stay');
  start(onNode('--kill-child', 'socat', 'TCP6-LISTEN:22,fork', 'EXEC:true'));
  let poll = await nextPoll();
  while (!poll.query.includes('booted=1')) {
    poll.answer('stay');
    poll = await nextPoll();
  }
  assert.equal(poll.query, '/node/poll?generation=3&booted=1');
  node.stdin?.end('\n');
  let last = await nextPoll();
  // It also asks out of turn when this machine's memory is short.
  while (!last.query.includes('leaving')) last = await nextPoll();
  assert.equal(last.query, '/node/poll?generation=3&booted=1&leaving=1');
  last.answer('stay');
});

/** What starts the agent beside a system with that root, which does nothing. */
function onNodeWith(root: NodeRoot): string[] {
  // Its own root is another one, as the initramfs is on a node.
  const script = `mount -t proc proc "$1/proc"
    (until [ "$(readlink /proc/1/root)" = "$1" ]; do sleep 0.05; done; exec "$0" < /dev/null) &
    exec chroot "$1" /usr/lib/walt/bin/busybox sleep 1000000`;
  return onNode('--kill-child', 'sh', '-c', script, AGENT, root.folder);
}

test('what the image wants to be run when it is up is run before the node is booted', limit, async () => {
  using root = new NodeRoot();
  root.program('bin/on-bootup', 'echo "$PWD $HOME token=$token"; cat /proc/self/oom_score_adj; exit 3');
  root.put('run/nologin', 'not yet');
  start(onNodeWith(root));
  (await nextPoll()).answer('stay');
  start(onNode('--kill-child', 'socat', 'TCP6-LISTEN:22,fork', 'EXEC:true'));
  let poll = await nextPoll();
  while (poll.query.includes('booted=0')) {
    poll.answer('stay');
    poll = await nextPoll();
  }
  assert.equal(root.read('dev/console'), '/ /root token=\n0\n');
  assert.equal(root.read('dev/kmsg'), 'walt: /bin/on-bootup has failed, exit status 3\n');
  assert.match(root.read('run/uptime-ready'), /^\d+\.\d\d \d+\.\d\d$/m);
  assert.ok(!existsSync(`${root.folder}/run/nologin`));
});

for (const [what, end] of [
  ['takes the node down', 'busybox reboot -n -f; sleep 100000'],
  ['fails, and an ordinary reboot follows', 'exit 1'],
]) {
  test(`the image’s own way to reboot is taken: it ${what}`, limit, async () => {
    using root = new NodeRoot();
    root.link('bin/busybox', '/usr/lib/walt/bin/busybox');
    root.program('bin/walt-network-reboot', `echo "$0 $walt_boot_mode" >/calls\n${end}`);
    const node = start(onNodeWith(root));
    (await nextPoll()).answer('reboot');
    const [, signal] = await once(node, 'exit');
    assert.equal(signal, 'SIGHUP');
    assert.equal(root.read('calls'), '/bin/walt-network-reboot network\n');
  });
}

/** What starts the agent in a root of its own, as the initramfs is, beside a system with that other root. */
function onNodeOf(system: NodeRoot, initramfs: NodeRoot): string[] {
  initramfs.put('walt-agent', readFileSync(AGENT, 'utf8'), 0o755);
  initramfs.put('kexec', readFileSync(new URL('kexec', import.meta.url), 'utf8'));
  initramfs.put('kexec-call', '', 0o755);
  writeFileSync(`${initramfs.folder}/kexec-call`, kexecCall('amd64') ?? '');
  initramfs.link('bin/busybox', '../usr/lib/walt/bin/busybox');
  const script = `mount -t proc proc "$0/proc"; mount -t proc proc "$1/proc"
    (until [ "$(readlink /proc/1/root)" = "$1" ]; do sleep 0.05; done; exec chroot "$0" /walt-agent < /dev/null) &
    exec chroot "$1" /usr/lib/walt/bin/busybox sleep 1000000`;
  return onNode('--kill-child', 'sh', '-c', script, initramfs.folder, system.folder);
}

const NEXT = '/boot/files/x/vmlinuz-pc\nconsole=tty0 quiet\n';
const rows: [what: string, answers: Record<string, string>, asked: string[], why: RegExp][] = [
  ['the server wants its firmware to boot it', { '/node/kexec': '' }, ['/node/kexec'], /^$/],
  [
    'a file is missing',
    { '/node/kexec': NEXT },
    ['/node/kexec', '/boot/files/x/vmlinuz-pc', '/node/kexec'],
    /^its files could not be loaded$/,
  ],
  [
    'its kernel does not take the next one',
    { '/node/kexec': NEXT, '/boot/files/x/vmlinuz-pc': 'no kernel', '/node/initramfs': 'none' },
    ['/node/kexec', '/boot/files/x/vmlinuz-pc', '/node/initramfs', '/node/kexec'],
    /^its kernel (?:does not|cannot) /,
  ],
];
for (const [what, answers, asked, why] of process.arch === 'x64' ? rows : []) {
  test(`without kexec, an ordinary reboot follows: ${what}`, limit, async () => {
    using system = new NodeRoot();
    using initramfs = new NodeRoot();
    const paths: string[] = [];
    let told = '';
    others = (path, body, response) => {
      paths.push(path);
      told += body;
      const answer = body === '' ? answers[path] : 'noted';
      response.writeHead(answer === undefined ? 404 : 200).end(answer);
    };
    const node = start(onNodeOf(system, initramfs));
    (await nextPoll()).answer('reboot');
    const [, signal] = await once(node, 'exit');
    assert.equal(signal, 'SIGHUP');
    assert.deepEqual(paths, asked);
    assert.match(told, why);
  });
}

test('a server that was away is found again', limit, async () => {
  start(onNode('--kill-child', AGENT));
  await nextPoll();
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
  server.listen(address.port, ADDRESS.server);
  assert.equal((await nextPoll()).query, '/node/poll?generation=3&booted=0');
});

/** As /proc/meminfo has it: always so long, so that who reads it while it changes reads no half line. */
const meminfo = (available: number) => `MemTotal:        1000000 kB
MemFree:               0 kB
MemAvailable: ${String(available).padStart(10)} kB
SwapTotal:        500000 kB
SwapFree:         400000 kB
`;

test('memory that gets short is told out of turn, and an order is heard then, too', limit, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'walt-agent-'));
  const file = join(folder, 'meminfo');
  writeFileSync(file, meminfo(100_000));
  try {
    const short = 'mount --bind "$1" /proc/meminfo && changes=/proc exec "$0"';
    const node = start(onNode('--kill-child', 'sh', '-c', short, AGENT, file));
    start(onNode('--kill-child', 'socat', 'TCP6-LISTEN:22,fork', 'EXEC:true'));
    let poll = await nextPoll();
    while (!poll.query.includes('booted=1')) {
      poll.answer('stay');
      poll = await nextPoll();
    }
    assert.match(String(poll.room), /^1000000,100000,500000,400000,\d+,0,0$/, 'a tenth is enough');
    // Nobody answers that question.
    writeFileSync(file, meminfo(99_999), { flag: 'r+' });
    // A question from before the node was up may come behind one from after.
    let next = await nextPoll();
    while (!next.query.includes('booted=1')) next = await nextPoll();
    assert.match(String(next.room), /^1000000,99999,500000,400000,\d+,0,0$/);
    next.answer('reboot');
    const [, signal] = await once(node, 'exit');
    assert.equal(signal, 'SIGHUP');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
