import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog, type StreamedProgram, streamProgram } from '../../../platform/index.ts';
import { HostConsole } from './host-console.ts';

/** Prints, and takes what is typed only once the fifo `$1` was opened: then it tells how much came. */
const MACHINE = 'echo up; read -r _ < "$1"; head -c 1000000 | wc -c; exec cat > /dev/null';

/** Types far more than may wait. */
async function typeUntilCut(client: Socket): Promise<void> {
  const bytes = Buffer.alloc(65_536, 'x');
  for (let count = 0; !client.closed; count += 1) {
    assert.ok(count < 500, 'nobody cuts it off');
    if (client.write(bytes)) continue;
    await new Promise<void>((resolve) => {
      client.once('drain', resolve);
      client.once('close', () => resolve());
    });
  }
}

test('who types without end to a machine that takes nothing is cut off, and fills no memory', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-host-console-'));
  t.after(() => rm(folder, { recursive: true }));
  const gate = join(folder, 'gate');
  await once(streamProgram(['mkfifo', gate]).stdout.resume(), 'end');
  const files = { log: join(folder, 'log'), read: join(folder, 'read'), socket: join(folder, 'socket') };
  let program: StreamedProgram | undefined;
  const beside = () => {
    program = streamProgram(['sh', '-c', MACHINE, 'machine', gate], { stdin: 'pipe', accept: 'any' });
    return program;
  };
  const console = await HostConsole.open({ files, folder, beside, log: createLog('test', () => {}) });
  t.after(() => console.close());
  const enter = async () => {
    const client = connect(files.socket);
    client.on('error', () => {});
    await once(client, 'connect');
    return client;
  };
  const first = await enter();
  console.attach(1);
  assert.equal(String((await once(first, 'data'))[0]), 'up\n');
  for (const client of [first, await enter(), await enter()]) await typeUntilCut(client);
  const waiting = program?.stdin.writableLength ?? 0;
  assert.ok(waiting < 2 ** 21, `${waiting} bytes wait`);
  // Who comes when the machine takes something again has its console.
  const last = await enter();
  await writeFile(gate, 'open\n');
  assert.equal(String((await once(last, 'data'))[0]).trim(), '1000000');
  last.destroy();
});
