/** The server is killed at the worst moments. Nodes notice nothing, and after its restart everything is as before or finished. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Image } from '@walt/contract';
import { CrashRounds } from '../attack/crash-rounds.ts';
import { Random } from '../attack/random.ts';
import { direct } from '../direct-ssh.ts';
import { imagePrompt, openImageShell } from '../image-shell-terminal.ts';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { haveNodes, leavePlatform, usePlatform } from '../shared-platform.ts';
import { Terminal } from '../terminal.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  await haveNodes(platform, 'alpha');
});
after(leavePlatform);

async function image(name: string): Promise<Image> {
  const found = (await platform.root.json<Image[]>('image', 'show')).find((image) => image.name === name);
  assert.ok(found, `${name} is there`);
  return found;
}

test('without a server, a node keeps its root, its name, its address and /persist', async () => {
  const { root } = platform;
  const machine = await platform.pid('vm-1');
  const reach = await direct(platform, 'alpha');
  await root.on('alpha', 'echo 3 >/proc/sys/vm/drop_caches');
  await platform.kill();

  assert.equal(await reach('hostname'), 'alpha\n');
  // Files that it never read before come from the volumes on the server's machine.
  assert.match(await reach('find /usr/share/perl* /usr/lib/python3 -type f | xargs cat | wc -c'), /^\d{6,}/);
  assert.equal(await reach('echo alone >/persist/alone && cat /persist/alone'), 'alone\n');
  assert.match(await reach('getent hosts server'), /^10\.73\.0\.1/);

  await platform.up();
  assert.equal(await platform.pid('vm-1'), machine, 'the virtual machine was adopted');
  await platform.booted('alpha');
  assert.equal(await root.on('alpha', 'cat /persist/alone'), 'alone\n');
  for (const { restarts, state } of (await platform.status()).programs) {
    assert.deepEqual({ restarts, state }, { restarts: 0, state: 'running' }, 'every program was adopted');
  }
});

test('killed while a node boots, at several moments: it boots all the same', async () => {
  const { root } = platform;
  for (const moment of [500, 4_000, 9_000]) {
    await root.ok('node', 'reboot', 'alpha', '--hard');
    await delay(moment); // the moment of the crash is the subject here
    await platform.crash();
    await platform.booted('alpha');
    assert.equal(await root.on('alpha', 'cat /proc/sys/kernel/hostname'), 'alpha\n');
  }
});

test('killed under an image shell: the session waits, its shell goes on', async () => {
  const { root } = platform;
  await root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'open');
  {
    await using terminal = await openImageShell(platform, 'open');
    await terminal.enter('variable=kept; echo before >/root/before-crash; echo "written: $?"');
    await terminal.expect(/^written: 0$/m);
    await platform.crash();
    await terminal.expect(/connection to the shell on open was lost; the session waits/);
    assert.equal(await terminal.exited(), 1);
  }
  await using terminal = await Terminal.open(root.command('image', 'shell', 'open', '--resume'), {
    env: root.env,
  });
  await terminal.press('Enter');
  await terminal.expect(imagePrompt);
  await terminal.enter('echo "variable: $variable $(cat /root/before-crash)"');
  await terminal.expect(/^variable: kept before$/m);
  await terminal.enter('exit');
  await terminal.expect(/New image name/);
  await terminal.enter('');
  await terminal.expect(/root\/open is saved/);
});

test('killed during a save, at many moments: the image is the old one and the session waits, or it is the new one', async () => {
  const { root } = platform;
  await root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'saved');
  const change = async (content: string) => {
    const { status } = await root.run(root.command('image', 'shell', 'saved'), {
      input: `echo ${content} >/root/round; head -c 3000000 /dev/urandom >/root/ballast-${content}\nexit\n`,
    });
    assert.equal(status, 1, 'the change waits');
  };
  await change('whole');
  const begun = performance.now();
  await root.ok('image', 'shell', 'saved', '--save');
  const whole = performance.now() - begun;

  const outcomes = { before: 0, finished: 0 };
  const rounds = 6;
  for (let round = 0; round < rounds; round += 1) {
    const before = await image('saved');
    const content = `round-${round}`;
    await change(content);

    const saving = root.walt('image', 'shell', 'saved', '--save');
    // The moment of the crash is the subject here: each round has its part of the time that a save takes, and a little more.
    await delay((1.2 * whole * (round + Math.random())) / rounds);
    await platform.crash();
    await saving;

    const after = await image('saved');
    const file = join(platform.folder, 'round');
    if (after.session) {
      outcomes.before += 1;
      assert.equal(after.digest, before.digest, 'the old image is untouched');
      await root.ok('image', 'shell', 'saved', '--save');
    } else {
      outcomes.finished += 1;
      assert.notEqual(after.digest, before.digest, 'the new image is there');
    }
    await root.ok('image', 'cp', 'saved:/root/round', file);
    assert.equal(await readFile(file, 'utf8'), `${content}\n`, 'nothing is lost');
    const sessions = (await root.json<Image[]>('image', 'show')).filter(({ session }) => session);
    assert.deepEqual(sessions, [], 'no session is left');
  }
  assert.ok(outcomes.before > 0, `some crashes came before the end: ${JSON.stringify(outcomes)}`);
  // What all these crashes left must still boot.
  await root.ok('node', 'boot', 'alpha', 'saved');
  await platform.booted('alpha');
  assert.equal(await root.on('alpha', 'cat /root/round; ls /root/ballast-* | wc -l'), 'round-5\n7\n');
});

test('killed at random moments of random commands, nothing that was acknowledged is lost, and nothing is half', async () => {
  const random = new Random();
  console.log(`seed ${random.seed}`);
  const cutOff = await new CrashRounds(platform, random).run(16);
  assert.ok(cutOff > 0, 'some commands were cut off');
});
