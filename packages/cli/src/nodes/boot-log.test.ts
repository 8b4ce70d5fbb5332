import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeBoot } from '@walt/contract';
import { painter } from '../terminal/style.ts';
import { renderBoots } from './boot-log.ts';

const boot: NodeBoot = {
  ...{ generation: 3, attempt: 1, cause: 'reboot', user: 'alice', began: 1000, state: 'booted' },
  ...{
    image: 'alice/debian',
    digest: `sha256:${'d'.repeat(64)}`,
    kernel: null,
    initramfs: null,
    platform: null,
  },
  steps: [
    { step: 'restart', at: 1000 },
    { step: 'kexec', at: 1000.3 },
    { step: 'booted', at: 1012 },
  ],
  ...{ left: null, noKexec: null, failure: null },
};

test('a boot by kexec says so', () => {
  const [, why, steps] = renderBoots([boot], painter(false)).split('\n');
  assert.deepEqual(
    [why, steps],
    ['  alice ordered a reboot (by kexec)', '  order 0.0 s · kexec 0.3 s · init 12 s'],
  );
});

test('one that was to be, and was not, says why; a machine’s words steer no terminal', () => {
  const text = renderBoots([{ ...boot, steps: [], noKexec: 'no memory\u001b[2J' }], painter(false));
  assert.match(text, /^ {2}not by kexec: no memory.*2J$/m);
  assert.ok(!text.includes('\u001b'));
});
