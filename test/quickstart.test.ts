/** `sudo ./quickstart`, as a newcomer runs it, but on a platform of the test's own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkout } from './client.ts';
import { Platform } from './platform.ts';
import { Terminal } from './terminal.ts';
import { until } from './until.ts';

const quickstart = join(checkout, 'quickstart');

function environment(platform: Platform): Record<string, string> {
  return { ...platform.root.env, WALT_CONFIG: platform.configFile };
}

test('it boots a first node, is harmless to run again, and opens a shell on a terminal', async () => {
  await using platform = await Platform.start({ start: false });
  const env = environment(platform);
  const first = await platform.root.run([quickstart], { env, timeout: 1_200_000 });
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stdout, /walt node shell vnode1/, 'it tells what to do next');
  await platform.noteNamespace();
  assert.equal(await platform.root.on('vnode1', 'hostname'), 'vnode1\n');

  const again = await platform.root.run([quickstart], { env });
  assert.equal(again.status, 0, again.stderr);
  assert.deepEqual(
    (await platform.node()).map(({ name, state }) => [name, state]),
    [['vnode1', 'booted']],
  );

  await using terminal = await Terminal.open([quickstart], { env });
  await terminal.expect(/root@vnode1/);
  await terminal.enter('echo "on $(hostname)"');
  await terminal.expect(/^on vnode1$/m);
  await terminal.enter('exit');
  assert.equal(await terminal.exited(), 0);
});

test('killed with the server in each of its steps, it goes on where it is run again', async () => {
  await using platform = await Platform.start({ start: false });
  const env = environment(platform);
  for (const step of [2, 3, 4, 5]) {
    await killAtStep(step, env);
    // It may have been killed before there was a server.
    await platform.kill().catch(() => {});
  }
  const { status, stderr } = await platform.root.run([quickstart], { env, timeout: 1_200_000 });
  assert.equal(status, 0, `${stderr}\n${await platform.journal()}`);
  await platform.noteNamespace();
  assert.equal(await platform.root.on('vnode1', 'hostname'), 'vnode1\n');
});

/** Starts it, and kills it and all that it started but the platform's own programs, once it has said that it is at that step. */
async function killAtStep(step: number, env: Record<string, string>): Promise<void> {
  const child = spawn(quickstart, {
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('quickstart does not start');
  const ended = once(child, 'exit');
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until(
    `quickstart to be at step ${step}`,
    async () => {
      assert.equal(child.exitCode, null, `quickstart ended before step ${step}; it said:\n${said}`);
      return said.includes(`[${step}/5]`);
    },
    1_200_000,
  );
  process.kill(-pid, 'SIGKILL');
  await ended;
  child.stdout.destroy();
}
