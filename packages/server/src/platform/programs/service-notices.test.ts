import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceNotices } from './service-notices.ts';

test('systemd hears that the server serves, then again and again that it lives; nobody else can speak in its name', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-notices-'));
  const path = join(folder, 'notify');
  const listener = spawn('socat', ['-u', `UNIX-RECV:${path}`, '-'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(listener, 'exit');
  t.after(async () => {
    listener.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true });
  });
  while (!existsSync(path)) await delay(10);

  const warnings: string[] = [];
  const log = { info() {}, error() {}, warn: (text: string) => void warnings.push(text) };
  const environment = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '300000', WATCHDOG_PID: '1', PATH: '/bin' };
  const notices = new ServiceNotices(environment, log);
  assert.deepEqual(environment, { PATH: '/bin' });
  // The timer alone does not keep a process alive.
  const alive = setInterval(() => {}, 1000);
  notices.ready();
  let heard = '';
  for await (const chunk of listener.stdout) {
    heard += chunk;
    if (heard.split('WATCHDOG=1').length > 4) break;
  }
  notices.close();
  clearInterval(alive);
  assert.match(heard, /READY=1\n/);
  assert.match(heard, /STATUS=Serving\.\n/);
  assert.deepEqual(warnings, []);
});

test('without systemd, nothing is said', () => {
  const none = { info: assert.fail, warn: assert.fail, error: assert.fail };
  for (const environment of [{}, { NOTIFY_SOCKET: '' }]) {
    const notices = new ServiceNotices(environment, none);
    notices.ready();
    notices.close();
  }
});
