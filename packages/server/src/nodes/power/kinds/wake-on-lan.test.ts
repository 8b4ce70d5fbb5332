import assert from 'node:assert/strict';
import { on } from 'node:events';
import { after, before, test } from 'node:test';
import { run, type StreamedProgram, streamProgram } from '../../../platform/index.ts';
import { magicPacket } from './wake-on-lan.ts';

const MAC = '52:54:00:12:34:56';
const packet = `${'ff'.repeat(6)}${'525400123456'.repeat(16)}`;
/** To the address of all machines, as IPv4; from the server to all of walt-net; UDP to port 9. */
const FRAME = new RegExp(
  `f{12}[0-9a-f]{12}0800(?:45[0-9a-f]{22})0a4900010a49ffff(?:[0-9a-f]{4})0009(?:[0-9a-f]{8})${packet}`,
  'g',
);
/** The server's side of a cable, and the machine's. */
const [server, machine] = [`wol${process.pid}a`, `wol${process.pid}b`];

before(async () => {
  for (const name of [server, machine]) await run(['ip', 'netns', 'add', name]);
  await run([
    'ip',
    '-n',
    server,
    'link',
    'add',
    'cable',
    'type',
    'veth',
    'peer',
    'name',
    'cable',
    'netns',
    machine,
  ]);
  await run([
    'ip',
    '-n',
    server,
    'address',
    'add',
    '10.73.0.1/16',
    'broadcast',
    '10.73.255.255',
    'dev',
    'cable',
  ]);
  for (const name of [server, machine]) await run(['ip', '-n', name, 'link', 'set', 'cable', 'up']);
});
after(async () => {
  for (const name of [server, machine]) await run(['ip', 'netns', 'delete', name]);
});

test('a magic packet is six bytes of ones and sixteen times the address', () => {
  assert.equal(magicPacket(MAC).toString('hex'), packet);
  assert.throws(() => magicPacket('nonsense'), TypeError);
});

test('it goes out to all machines of walt-net, to UDP port 9, more than once', async () => {
  // A machine that is off has no address and answers nobody: it sees frames.
  const seen = frames(machine);
  const wake = `
    const { wakeOnLan } = await import(${JSON.stringify(import.meta.resolve('./wake-on-lan.ts'))});
    await wakeOnLan({ server: '10.73.0.1', broadcast: '10.73.255.255' }).on({ mac: '${MAC}' });`;
  try {
    await seen.ready;
    await run(['ip', 'netns', 'exec', server, process.execPath, '--input-type=module', '-e', wake]);
    let hex = '';
    for await (const [bytes] of seen.frames) {
      hex += (bytes as Buffer).toString('hex');
      if (hex.match(FRAME)?.length === 3) return;
    }
    assert.fail('socat has ended');
  } finally {
    seen.program.kill();
  }
});

/** What arrives at the end of the cable, frame by frame or several at once. */
function frames(namespace: string): {
  ready: Promise<unknown>;
  frames: AsyncIterable<unknown[]>;
  program: StreamedProgram;
} {
  let isReady = () => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  const program = streamProgram(
    ['ip', 'netns', 'exec', namespace, 'socat', '-d', '-d', '-u', 'INTERFACE:cable', 'STDOUT'],
    { onStderrLine: (line) => line.includes('starting data transfer loop') && isReady() },
  );
  return { ready, frames: on(program.stdout, 'data', { signal: AbortSignal.timeout(60_000) }), program };
}
