import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../../../../../test/until.ts';
import { createLog, readIfPresent, type StreamedProgram, streamProgram } from '../../../platform/index.ts';
import { CONSOLE_LOG_LIMIT, capConsoleLog, olderConsoleLog } from '../../consoles/index.ts';
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

/** Files of a console in a folder of the test's own. */
async function consoleFiles(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'walt-host-console-'));
  t.after(() => rm(folder, { recursive: true }));
  const files = { log: join(folder, 'log'), read: join(folder, 'read'), socket: join(folder, 'socket') };
  return { folder, files };
}

const log = createLog('test', () => {});

test('a host that prints without end fills no disk', async (t) => {
  const { folder, files } = await consoleFiles(t);
  const beside = () =>
    streamProgram(['head', '-c', '40000000', '/dev/zero'], { stdin: 'pipe', accept: 'any' });
  const cap = async () => void (await capConsoleLog(files.log));
  const console = await HostConsole.open({ files, folder, beside, cap, log });
  t.after(() => console.close());
  console.attach(1);
  await until('all to be read', async () => (await readIfPresent(files.read)) === '1 40000000');
  for (const file of [files.log, olderConsoleLog(files.log)]) {
    const { size } = await stat(file);
    assert.ok(size < CONSOLE_LOG_LIMIT + 2 ** 20, `${size} bytes`);
  }
});

test('who types without end to a machine that takes nothing is cut off, and fills no memory', async (t) => {
  const { folder, files } = await consoleFiles(t);
  const gate = join(folder, 'gate');
  await once(streamProgram(['mkfifo', gate]).stdout.resume(), 'end');
  let program: StreamedProgram | undefined;
  const beside = () => {
    program = streamProgram(['sh', '-c', MACHINE, 'machine', gate], { stdin: 'pipe', accept: 'any' });
    return program;
  };
  const console = await HostConsole.open({ files, folder, beside, cap: async () => {}, log });
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
