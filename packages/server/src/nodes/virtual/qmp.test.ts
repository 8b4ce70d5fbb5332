import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { QEMU } from './boot-sector.ts';
import { Qmp, QmpError } from './qmp.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-qmp-'));
  path = join(folder, 'qmp.sock');
});
afterEach(() => rm(folder, { recursive: true }));

const isQmpError = (pattern: RegExp) => (error: unknown) =>
  error instanceof QmpError && pattern.test(error.message);

describe('Qmp with QEMU', () => {
  let qemu: ChildProcess;
  beforeEach(async () => {
    qemu = spawn(
      QEMU,
      ['-nodefaults', '-display', 'none', '-S', '-m', '16M', '-qmp', `unix:${path},server=on,wait=off`],
      { stdio: 'inherit' },
    );
    const deadline = Date.now() + 20_000;
    for (;;) {
      try {
        (await Qmp.connect(path)).close();
        return;
      } catch (error) {
        if (Date.now() > deadline || qemu.exitCode !== null) throw error;
        await delay(20);
      }
    }
  });
  afterEach(async () => {
    qemu.kill('SIGKILL');
    if (qemu.exitCode === null && qemu.signalCode === null) await once(qemu, 'exit');
  });

  it('asks, and gets the answer to its own question', async () => {
    using qmp = await Qmp.connect(path);
    const [status, name] = await Promise.all([qmp.execute('query-status'), qmp.execute('query-name')]);
    assert.ok(typeof status === 'object' && status && 'status' in status);
    assert.equal(status.status, 'prelaunch');
    assert.deepEqual(name, {});
  });

  it('passes QEMU’s refusal on, and goes on', async () => {
    using qmp = await Qmp.connect(path);
    await assert.rejects(qmp.execute('make-coffee'), isQmpError(/make-coffee has not been found/));
    await assert.rejects(qmp.execute('query-status', { sugar: 1 }), isQmpError(/sugar.*unexpected/));
    await qmp.execute('query-name');
  });

  it('tells events, until the connection ends', async () => {
    using qmp = await Qmp.connect(path);
    const events = qmp.events();
    await qmp.execute('system_reset');
    await qmp.execute('quit');
    const names: string[] = [];
    for await (const { event } of events) names.push(event);
    assert.deepEqual(names, ['RESET', 'SHUTDOWN']);
    await assert.rejects(qmp.execute('query-name'), isQmpError(/closed the connection|ECONNRESET/));
  });

  it('ends in time when QEMU is busy with another client', async () => {
    using _first = await Qmp.connect(path);
    await assert.rejects(Qmp.connect(path, 100), isQmpError(/within 100 ms \(greeting\)/));
  });
});

describe('Qmp without QEMU', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());
  const answerWith = async (text: string) => {
    server = createServer((socket) => socket.on('error', () => {}).end(text));
    await once(server.listen(path), 'listening');
  };

  it('says that nothing listens', async () => {
    await assert.rejects(Qmp.connect(path), isQmpError(/ENOENT/));
  });

  it('refuses what does not speak QMP', async () => {
    await answerWith('SSH-2.0-OpenSSH_9.2\n');
    await assert.rejects(Qmp.connect(path), isQmpError(/not a QMP message: SSH-2.0/));
  });

  it('notices an end before the greeting', async () => {
    await answerWith('');
    await assert.rejects(Qmp.connect(path), isQmpError(/closed the connection/));
  });
});
