/**
 * Fuzzers for all that listens, from a machine of walt-net and from a user's process: ten thousand packets each. WALT_SEED repeats a
 * run. What they send is nearly right (attack/); what must hold is told here.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { Device } from '@walt/contract';
import { run } from '../packages/server/src/platform/index.ts';
import { Machine } from './machine.ts';
import { Platform } from './platform.ts';
import { seedOfDay } from './random.ts';
import { until } from './until.ts';

const COUNT = 10_000;
/** Packets that are answered, or the attack went nowhere. */
const FEWEST = 100;
/** Bytes that the server may have afterwards; it starts with less than 100 MB. */
const MAX_MEMORY = 300 * 1024 * 1024;

const seed = seedOfDay();
let platform: Platform;
let machine: Machine;
/** Of loopback, and nobody else's: other platforms on this machine may have the same port. */
const bytes = Array.from({ length: 3 }, () => 1 + Math.floor(Math.random() * 250));
const http = { address: `127.${bytes.join('.')}`, port: 12_380 };
let server: string;

before(async () => {
  platform = await Platform.start({ image: false, http });
  machine = await Machine.plug(platform, 1, { ip: '10.73.200.1', mac: '02:77:61:6c:74:01' });
  ({ server } = (await platform.status()).network);
});
after(async () => {
  await machine?.[Symbol.asyncDispose]();
  await platform?.close();
});

/** Takes away the bound on DHCP requests of unknown machines, until nodes change. */
async function letAllAsk(): Promise<void> {
  const table = ['nft', 'delete', 'table', 'netdev', 'walt-dhcp-walt0'];
  await run(['ip', 'netns', 'exec', platform.namespace, ...table]);
}

/** The server is the process that it was and answers; all that it watches runs, at most started again. */
async function holds(pid: number): Promise<void> {
  assert.equal(await platform.pid(), pid, `the same process\n${await platform.journal()}`);
  await platform.root.ok('node', 'show', '--all');
  const status = await until('all programs to run', async () => {
    const now = await platform.status();
    return now.programs.every(({ state }) => state === 'running') && now;
  });
  assert.deepEqual(status.programs.map(({ name }) => name).sort(), ['dnsmasq', 'http', 'nfs', 'walt-logs']);
  assert.ok(status.memory < MAX_MEMORY, `${status.memory} bytes`);
  assert.deepEqual(await platform.mistakes(), []);
  // Whoever sends ten thousand packets must not fill the disk either.
  const journal = await readFile(join(platform.paths.logs, 'walt-server.log'), 'utf8');
  assert.ok(journal.length < 1024 * 1024, `${journal.length} bytes of journal`);
  const failed = journal.split('\n').filter((line) => /: a (?:connection|datagram) failed/.test(line));
  assert.deepEqual(failed, []);
}

/** Runs an attacker by `start`, and sees that it reached its goal and that all holds. */
async function attack(t: TestContext, start: (...words: string[]) => Promise<string>): Promise<void> {
  const pid = await platform.pid();
  const told = (await start(`${seed}`, `${COUNT}`)).trim();
  t.diagnostic(`WALT_SEED=${seed}: ${told}`);
  assert.ok(Number.parseInt(told, 10) > FEWEST, told);
  await holds(pid);
}

test('a switch logs by syslog, and is heard by its name', { timeout: 600_000 }, async () => {
  const name = 'unknown-b827eb123456';
  await using device = await Machine.plug(platform, 2, { ip: '10.73.200.2', mac: 'b8:27:eb:12:34:56' });
  const ok = async (...argv: string[]) => {
    const { status, stderr } = await device.attempt(...argv);
    assert.equal(status, 0, `${argv.join(' ')}: ${stderr}`);
  };
  await ok('busybox', 'udhcpc', '-i', 'eth0', '-f', '-n', '-q', '-s', '/bin/true');
  const devices = JSON.parse(await platform.root.ok('device', 'show', '--json')) as Device[];
  const ip = devices.find((known) => known.name === name)?.ip;
  assert.ok(ip);
  await ok('ip', 'address', 'flush', 'dev', 'eth0');
  await ok('ip', 'address', 'add', `${ip}/16`, 'dev', 'eth0');
  const waited = ['--issuers', name, '--time-margin', '3600', '--timeout', '5m', '--json'];
  for (const [text, ...way] of [
    ['port 1 is up', '--udp'],
    ['port 2 is up', '--tcp', '--port', '514'],
  ] as const) {
    await ok('logger', '--server', server, ...way, '-t', 'ports', text);
    const { issuer, stream, line } = JSON.parse(await platform.root.ok('log', 'wait', text, ...waited));
    assert.deepEqual([issuer, stream], [name, 'syslog.ports']);
    assert.match(line, new RegExp(`^user\\.notice .*: ${text}$`));
  }
});

for (const name of ['http', 'tftp', 'dhcp', 'dns', 'portmapper', 'nfs']) {
  test(`${name}, from a machine of walt-net`, { timeout: 1_200_000 }, async (t) => {
    // Of unknown machines few would get to dnsmasq.
    if (name === 'dhcp') await letAllAsk();
    await attack(t, (...words) => machine.program(`attack/${name}.ts`, server, ...words));
  });
}

test('lines of logs, from a machine of walt-net', { timeout: 1_200_000 }, async (t) => {
  await attack(t, (...words) => machine.program('attack/http.ts', `${server}:12347`, ...words));
});

test('http, from a user', { timeout: 1_200_000 }, async (t) => {
  const attacker = join(import.meta.dirname, 'attack/http.ts');
  await attack(t, (...words) => run([process.execPath, attacker, platform.paths.socket, ...words]));
});

test('http, from a program of the machine', { timeout: 1_200_000 }, async (t) => {
  const { address, port } = http;
  const figures = async () => (await fetch(`http://${address}:${port}/metrics`)).text();
  assert.match(
    await until('the port to be open', () => figures().catch(() => undefined)),
    /^walt_nodes\{state="off"\} 0$/m,
  );
  const attacker = join(import.meta.dirname, 'attack/http.ts');
  // Behind the relay, which makes a process for each connection: few of them would come through on a busy machine.
  await attack(t, (...words) => run([process.execPath, attacker, platform.paths.webSocket, ...words]));
  assert.match(await figures(), /^walt_program_up\{program="http"\} 1$/m);
});
