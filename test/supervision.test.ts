/** The server ends in every way that it can end; it is back by itself, and what runs beside it notices nothing. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { ServerStatus } from '@walt/contract';
import { identifyProcess, run } from '../packages/server/src/platform/index.ts';
import { Platform } from './platform.ts';
import { until } from './until.ts';

/** Milliseconds within which the server serves again, however slow the machine is; usually, it takes one second. */
const BACK_WITHIN = 60_000;

let platform: Platform;

before(async () => {
  platform = await Platform.start({ image: false });
});
after(() => platform?.close());

/** Process numbers of what must outlive the server. */
async function others(): Promise<Record<string, number | null>> {
  const { programs } = await platform.status();
  return Object.fromEntries(programs.map(({ name, pid }) => [name, pid]));
}

async function down(): Promise<{ running: boolean; supervised: boolean; crashes: { reason: string }[] }> {
  const { status, stdout } = await platform.server('status', '--json');
  assert.equal(status, 3);
  return JSON.parse(stdout);
}

test('killed in a loop, by several signals: it is back in time, and the programs beside it are the same', async (t) => {
  const before = await others();
  assert.deepEqual(Object.keys(before).sort(), ['dnsmasq', 'nfs', 'walt-logs']);
  const times: number[] = [];
  for (const signal of ['SIGKILL', 'SIGSEGV', 'SIGABRT'] as const) {
    times.push(await platform.crash(signal));
    assert.deepEqual(await others(), before);
  }
  t.diagnostic(`back after ${times} ms`);
  assert.ok(Math.max(...times) <= BACK_WITHIN);
  const { crashes, supervised } = await platform.status();
  assert.equal(supervised, true);
  assert.equal(crashes.count, 3);
  assert.equal(crashes.last?.reason, 'killed by signal 6');
  assert.ok(Math.abs((crashes.last?.at ?? 0) - Date.now() / 1000) < 60);
  assert.match(
    await platform.root.ok('advanced', 'server-status'),
    /Crashes +3 in 24 hours, .*killed by signal 6/,
  );
});

/** Runs code in the server: node:inspector, which Node opens at SIGUSR1, on the loopback of the platform's namespace. */
async function inject(code: string): Promise<void> {
  process.kill(await platform.pid(), 'SIGUSR1');
  const script = `
    const deadline = Date.now() + 60_000;
    let targets;
    while (!targets) targets = await fetch('http://127.0.0.1:9229/json').then((r) => r.json(), (e) => { if (Date.now() > deadline) throw e; });
    const socket = new WebSocket(targets[0].webSocketDebuggerUrl);
    await new Promise((resolve) => { socket.onopen = resolve; });
    socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: ${JSON.stringify(code)} } }));
    await new Promise((resolve) => { socket.onmessage = resolve; socket.onclose = resolve; });
    process.exit();`;
  const node = [process.execPath, '--input-type=module', '-e', script];
  await run(['ip', 'netns', 'exec', platform.namespace, ...node]);
}

test('a mistake is logged once with its stack, ends the server, and it is back', async () => {
  for (const [code, words] of [
    ["setImmediate(function slip() { throw new Error('nobody\\nexpects this') })", /slip/],
    ["Promise.reject(new TypeError('nobody\\nexpects this')); 0", /TypeError/],
  ] as const) {
    const before = await platform.pid();
    await inject(code);
    await until('the server to be back', async () => {
      return (await platform.pid()) !== before && (await platform.server('status')).status === 0;
    });
    const journal = (await readFile(`${platform.paths.logs}/walt-server.log`, 'utf8')).split('\n');
    const told = journal.filter((line) => / error server a mistake ends the server error=/.test(line));
    assert.match(told.at(-1) ?? '', words);
    assert.match(told.at(-1) ?? '', /nobody\\nexpects this.*\\n {4}at /, 'one line, with its stack');
    assert.match((await platform.status()).crashes.last?.reason ?? '', /a mistake ends the server.*nobody$/);
  }
  const journal = await readFile(`${platform.paths.logs}/walt-server.log`, 'utf8');
  assert.equal(journal.match(/ error server a mistake ends/g)?.length, 2, 'each is told once');
});

test('a server that cannot start any more is tried again less and less often, which status tells; start tells why', async () => {
  const good = await readFile(platform.configFile, 'utf8');
  await writeFile(platform.configFile, `${good}nonsense: true\n`);
  process.kill(await platform.pid(), 'SIGKILL');
  await until('some more ends', async () => {
    const log = await readFile(`${platform.paths.logs}/walt-server.log`, 'utf8');
    // From then on, it waits for eight seconds and more.
    return / the server ended .*failures=([7-9]|\d\d) .*nonsense/.test(log);
  });
  await writeFile(platform.configFile, good);
  const { running, supervised, crashes } = await down();
  assert.deepEqual([running, supervised], [false, true]);
  assert.match(crashes.at(-1)?.reason ?? '', /^walt-server: .*server\.conf.*nonsense/);
  const { stdout } = await platform.server('status');
  assert.match(stdout, /is started again\.\nIt ended unexpectedly \d+ times in 24 hours, last at .*nonsense/);
  await platform.up();
  assert.equal((await platform.status()).supervised, true);
});

test('a first start that fails tells why, and nothing of it runs afterwards', async () => {
  const good = await readFile(platform.configFile, 'utf8');
  await platform.server('stop');
  await writeFile(platform.configFile, `${good}images: { keep-versions: -1 }\n`);
  const { status, stderr } = await platform.server('start');
  await writeFile(platform.configFile, good);
  assert.equal(status, 1);
  assert.match(stderr, /walt-server: .*keep-versions/);
  await assert.rejects(platform.pid('supervisor'), { code: 'ENOENT' });
  await platform.up();
});

test('the supervisor is killed: the server goes on and says so; start, restart and stop do what they say', async () => {
  const orphan = async () => {
    const [server, supervisor] = [await platform.pid(), await platform.pid('supervisor')];
    process.kill(supervisor, 'SIGKILL');
    await until('its end', async () => !(await platform.status()).supervised);
    assert.equal(await platform.pid(), server);
    return server;
  };
  const before = await others();
  await orphan();
  assert.match(
    await platform.root.ok('advanced', 'server-status'),
    /nothing starts the server again.*walt-server restart/,
  );
  for (const command of ['start', 'restart']) {
    const server = await orphanIfNeeded(orphan);
    const { status, stderr } = await platform.server(command);
    assert.equal(status, 0, stderr);
    const after: ServerStatus = await platform.status();
    assert.equal(after.supervised, true);
    assert.notEqual(await platform.pid(), server);
    assert.deepEqual(await others(), before, 'nothing else noticed');
    assert.ok((await platform.crash()) <= BACK_WITHIN);
  }
  const server = await orphan();
  const { status, stderr } = await platform.server('stop');
  assert.equal(status, 0, stderr);
  assert.equal(identifyProcess(server), undefined, 'the server ended');
  const again = await platform.server('stop');
  assert.equal(again.status, 0, again.stderr);
  await platform.up();
});

async function orphanIfNeeded(orphan: () => Promise<number>): Promise<number> {
  return (await platform.status()).supervised ? orphan() : platform.pid();
}

test('without the server and without its supervisor, status tells that it must be started', async () => {
  await platform.kill();
  assert.deepEqual({ ...(await down()), crashes: [] }, { running: false, supervised: false, crashes: [] });
  assert.match((await platform.server('status')).stdout, /The platform does not run\.\n(.*\n)?Start it with/);
  await platform.up();
});

test('it has room for many connections, and tells how many files are open', async () => {
  const { files } = await platform.status();
  assert.ok(files.open > 10 && files.open < 200, `${files.open} files are open`);
  // As many as it asks for, where it may raise the limit at all.
  const allowed = await run(['sh', '-c', 'ulimit -n 65536 2>/dev/null; ulimit -H -n']);
  assert.equal(files.limit, Number(allowed));
});
