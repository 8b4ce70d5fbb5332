/** What a node runs to blink, with a folder of lights that is made for it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { outcome } from '../../test/checkout.ts';
import { BLINK } from './blink.ts';

let folder: string;
let leds: string;
let program: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'walt-blink-'));
  leds = join(folder, 'leds');
  program = join(folder, "it's a program");
  mkdirSync(leds);
  light('input3::capslock', 'none [kbd-capslock] timer');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function light(name: string, trigger: string) {
  mkdirSync(join(leds, name));
  for (const [file, text] of Object.entries({ trigger, brightness: '7', max_brightness: '255' }))
    writeFileSync(join(leds, name, file), `${text}\n`);
}
const read = (...path: string[]) => readFileSync(join(leds, ...path), 'utf8');
const start = (seconds: string): ChildProcess =>
  spawn('sh', ['-c', BLINK, 'walt-blink', seconds, program, leds], { stdio: ['ignore', 'pipe', 'pipe'] });

/** Looks until it is so; the test's own limit ends it. */
async function until(holds: () => boolean) {
  while (!holds()) await delay(20);
}

test('the program of the image is called with 1, then with 0', async () => {
  writeFileSync(program, `#!/bin/sh\necho "$*" >>'${folder}/calls'\n`);
  chmodSync(program, 0o755);
  assert.deepEqual(await outcome(start('0')), { status: 0, stdout: `${program}\n`, stderr: '' });
  assert.equal(readFileSync(join(folder, 'calls'), 'utf8'), '1\n0\n');
});

test('who is told to end switches it off first', async () => {
  writeFileSync(program, `#!/bin/sh\necho "$*" >>'${folder}/calls'\necho called\n`);
  chmodSync(program, 0o755);
  const child = start('100000');
  const ended = outcome(child);
  let said = '';
  child.stdout?.on('data', (text) => {
    said += text;
  });
  await until(() => said.includes('called'));
  child.kill('SIGTERM');
  assert.equal((await ended).status, 0);
  assert.equal(readFileSync(join(folder, 'calls'), 'utf8'), '1\n0\n');
});

test('a light of the board blinks, and is given back with its trigger', async () => {
  light('mmc0::', '[none] timer');
  light('ACT', 'none [mmc0] timer heartbeat');
  const child = start('100000');
  const ended = outcome(child);
  await until(() => read('ACT', 'trigger') === 'none\n' && /^(255|0)\n$/.test(read('ACT', 'brightness')));
  child.kill('SIGTERM');
  const { status, stdout } = await ended;
  assert.deepEqual([status, stdout], [0, 'ACT\n']);
  assert.equal(read('ACT', 'trigger'), 'mmc0\n');
  assert.equal(read('ACT', 'brightness'), '7\n');
  assert.equal(read('mmc0::', 'trigger'), '[none] timer\n');
});

test('the lights of a keyboard are none', async () => {
  const { status, stdout } = await outcome(start('1'));
  assert.deepEqual([status, stdout], [1, 'nothing\n']);
  assert.equal(read('input3::capslock', 'brightness'), '7\n');
});
