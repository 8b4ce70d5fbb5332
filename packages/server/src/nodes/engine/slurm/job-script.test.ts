import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../../platform/index.ts';
import type { Machine } from '../../virtual/index.ts';
import { type JobPlace, jobScript, tunnelNumber } from './job-script.ts';

const program = (
  await Promise.all(
    ['walt-net.sh', 'run-machine.sh'].map((name) => readFile(join(import.meta.dirname, name), 'utf8')),
  )
).join('');
const machine: Machine = {
  ...{ id: 7, model: 'pc-x86-64', mac: '52:54:00:00:00:07', cpuCores: 1, ramMiB: 512 },
  ...{ disks: [], networks: [{ name: 'walt-net' }], place: { features: [] }, logsConsole: true },
};
const place: JobPlace = {
  ...{ platform: 'cfded558', server: '192.0.2.1', vxlanPort: 4789, controllers: ['192.0.2.1', "it's"] },
  ...{ slurmdTimeout: 6, slurmdPidFile: '/run/slurmd.pid', userIds: 2 ** 32 - 1 },
};

/** What bash makes of the script's variables; nothing else of it runs. */
async function variable(script: string, name: string): Promise<string[]> {
  const head = script.slice(0, script.indexOf('\nset -u'));
  const printed = await run(['bash', '-c', `${head}\nprintf '%s\\0' "\${${name}[@]}"`]);
  return printed.split('\0').slice(0, -1);
}

test('bash understands all of it', async () => {
  const { script } = jobScript({ machine, ip: '10.73.0.7' }, place, program);
  await run(['bash', '-n'], { input: script });
  assert.ok(script.startsWith('#!/bin/bash\n'));
  assert.deepEqual(await variable(script, 'controllers'), ['192.0.2.1', "it's"]);
  assert.deepEqual(await variable(script, 'id'), ['7']);
});

test('a machine finds its own files on the host, with KVM and without', async () => {
  const { script } = jobScript({ machine, ip: '10.73.0.7' }, place, program);
  const here = '/run/walt-host/cfded558/7';
  for (const [name, accelerator] of [
    ['qemu', /^tcg,/],
    ['qemu_kvm', /^kvm$/],
  ] as const) {
    const words = await variable(script, name);
    assert.equal(words[0], 'qemu-system-x86_64');
    assert.match(words[words.indexOf('-accel') + 1] ?? '', accelerator);
    assert.equal(words[words.indexOf('-option-rom') + 1], `${here}/enter-key.rom`);
    assert.ok(words.some((word) => word.includes(`path=${here}/console.sock,`)));
  }
  const [file, size, content = ''] = await variable(script, 'files');
  // Its last byte is none that a truncation to its size brings back.
  assert.deepEqual([file, size, Buffer.from(content, 'base64').length], ['enter-key.rom', '512', 512]);
});

test('a board that QEMU has no KVM for gets none', async () => {
  const { script } = jobScript(
    { machine: { ...machine, model: 'qemu-arm64' }, ip: '10.73.0.7' },
    place,
    program,
  );
  assert.equal((await variable(script, 'qemu_kvm')).join(''), '');
});

test('the hash tells one definition from another, and nothing else', () => {
  const hash = (part: Partial<Machine>) =>
    jobScript({ machine: { ...machine, ...part }, ip: '10.73.0.7' }, place, program).hash;
  assert.equal(hash({}), hash({ logsConsole: false }));
  assert.notEqual(hash({}), hash({ ramMiB: 513 }));
  assert.notEqual(hash({}), hash({ place: { host: 'h1', features: [] } }));
  assert.match(hash({}), /^[0-9a-f]{12}$/);
});

test('both ends of a tunnel know its number', async () => {
  const line = "printf '%s %s' cfded558 h1 | sha256sum | cut -c 1-6";
  assert.equal(tunnelNumber('cfded558', 'h1'), Number.parseInt(await run(['sh', '-c', line]), 16));
});
