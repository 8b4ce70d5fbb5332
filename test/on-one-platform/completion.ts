/** Completion in a real bash, help, and `--json`: what shells and scripts rely on. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { contract } from '@walt/contract';
import type * as z from 'zod';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { haveIdleNodes, leavePlatform, usePlatform } from '../shared-platform.ts';
import { Terminal } from '../terminal.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  await haveIdleNodes(platform, 'vnode1', 'probe');
  await platform.root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'exp1:v2');
});
after(leavePlatform);

test('bash completes categories, verbs, options and live names', async () => {
  const { root, folder } = platform;
  const script = join(folder, 'completion.bash');
  await writeFile(script, await root.ok('advanced', 'dump-bash-autocomplete'));
  const path = `${join(root.launcher, '..')}:${process.env.PATH}`;
  await using terminal = await Terminal.open(['bash', '--norc', '--noprofile'], {
    env: { ...root.env, PATH: path, PS1: '$ ', INPUTRC: '/dev/null' },
  });
  await terminal.enter(`source ${script}; clear; echo "sourced: $?"`);
  await terminal.expect(/^sourced: 0$/m);
  for (const [typed, completed] of [
    ['walt no', 'walt node'],
    ['walt node reb', 'walt node reboot'],
    ['walt node reboot --ha', 'walt node reboot --hard'],
    ['walt node shell vn', 'walt node shell vnode1'],
    ['walt node reboot probe,vn', 'walt node reboot probe,vnode1'],
    ['walt node reboot my', 'walt node reboot my-nodes'],
    ['walt image shell exp', 'walt image shell exp1:v2'],
    ['walt help show tut', 'walt help show tutorial'],
  ] as const) {
    await terminal.type(typed);
    await terminal.press('Tab');
    await terminal.expect(new RegExp(`\\$ ${completed}`));
    // A word that is finished gets a blank behind it; the screen shows that only with something after it.
    await terminal.type('x');
    await terminal.expect(new RegExp(`\\$ ${completed} x`));
    await terminal.press('C-u');
  }
});

/** Commands that print data, and the contract's schema of what they print. */
const documented: readonly (readonly [words: readonly string[], schema: z.ZodType | undefined])[] = [
  [['node', 'show'], outputOf(contract.node.list)],
  [['node', 'show', '--all'], outputOf(contract.node.list)],
  [['image', 'show'], outputOf(contract.image.list)],
  [['image', 'show', '--all'], outputOf(contract.image.list)],
  [['device', 'show'], outputOf(contract.device.list)],
  [['advanced', 'server-status'], outputOf(contract.server.status)],
  [['node', 'reboot', 'probe'], outputOf(contract.node.reboot)],
  [['node', 'release', 'probe'], outputOf(contract.node.release)],
  [['node', 'acquire', 'probe'], outputOf(contract.node.acquire)],
  [['node', 'boot', 'probe', 'exp1:v2'], outputOf(contract.node.boot)],
  [['node', 'rename', 'probe', 'probe2'], outputOf(contract.node.rename)],
  [['image', 'duplicate', 'exp1:v2', 'exp2'], outputOf(contract.image.duplicate)],
  [['image', 'rename', 'exp2', 'exp3'], outputOf(contract.image.rename)],
  [['image', 'remove', 'exp3'], outputOf(contract.image.remove)],
  [['node', 'remove', 'probe2', '--yes'], outputOf(contract.node.remove)],
];

test('what --json prints is what the contract documents', async () => {
  for (const [words, schema] of documented) {
    const data = await platform.root.json(...words);
    assert.ok(schema);
    const result = schema.safeParse(data);
    assert.ok(result.success, `walt ${words.join(' ')} --json: ${result.error}`);
  }
});

function outputOf(procedure: { '~orpc': { outputSchema?: unknown } }): z.ZodType | undefined {
  return procedure['~orpc'].outputSchema as z.ZodType | undefined;
}

test('names-only prints one name a line', async () => {
  assert.match(await platform.root.ok('node', 'show', '--names-only'), /^(?:[a-z][a-z0-9-]*\n)+$/);
  assert.match(await platform.root.ok('image', 'show', '--names-only'), /^exp1:v2$/m);
});

test('the manual lists its topics and shows each', async () => {
  const { root } = platform;
  const list = await root.ok('help', 'list');
  for (const topic of ['shells', 'node-bootup', 'boot-modes', 'node-ownership', 'networking', 'tutorial']) {
    assert.match(list, new RegExp(`\\b${topic}\\b`));
    const text = await root.ok('help', 'show', topic);
    assert.ok(text.split('\n').length > 10, `${topic} is a page`);
    assert.ok(!text.includes('\x1b'), 'no colours where there is no terminal');
  }
});
