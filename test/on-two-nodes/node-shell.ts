/** `walt node shell` and `walt node console` on a real terminal. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Platform } from '../platform.ts';
import { leavePlatform, usePlatform } from '../shared-platform.ts';
import { Terminal } from '../terminal.ts';
import { checkTerminal } from '../terminal-checks.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  await platform.root.ok('node', 'create', 'alpha');
});
after(leavePlatform);

const prompt = /root@alpha:\S+# $/m;

function open(...words: string[]): Promise<Terminal> {
  return Terminal.open(platform.root.command(...words), { env: platform.root.env });
}

test('the shell waits for a node that boots, asks nothing, and says what is kept', async () => {
  await using terminal = await open('node', 'shell', 'alpha');
  await terminal.expect(prompt, 300_000);
  const screen = await terminal.screen();
  assert.match(screen, /gone at its next boot.*\/persist/);
  assert.doesNotMatch(screen, /fingerprint|yes\/no|password/i);
  await checkTerminal(terminal);
  await terminal.enter('exit 5');
  assert.equal(await terminal.exited(), 5, 'the exit status is that of the shell');
});

test('the console shows what the node prints, and takes what is typed', async () => {
  await platform.booted('alpha');
  await using terminal = await open('node', 'console', 'alpha');
  await terminal.press('Enter');
  await terminal.expect(/login:|root@alpha/);
  await terminal.press('C-a');
  await terminal.type('d');
  assert.equal(await terminal.exited(), 0);
});

test('a shell on a node ends when the node reboots', async () => {
  await platform.booted('alpha');
  await using terminal = await open('node', 'shell', 'alpha');
  await terminal.expect(prompt);
  await platform.root.ok('node', 'reboot', 'alpha', '--hard');
  assert.notEqual(await terminal.exited(180_000), 0);
});
