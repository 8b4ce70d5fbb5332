import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { run } from '../../platform/index.ts';
import { exampleTarget } from '../example-target.ts';
import type { BootChoice } from './boot-choice.ts';
import { grubScript } from './grub.ts';

const target = { ...exampleTarget, model: 'pc-arm64' };
const choices: [what: string, choice: BootChoice, words: RegExp][] = [
  [
    'a kernel by HTTP, with its arguments and the initramfs',
    { kind: 'kernel', target },
    /\nif linux \(http,10\.73\.0\.1\)\/boot\/files\/[0-9a-f]{64}\/vmlinuz-pc console=tty0 .*\nif initrd \(http,10\.73\.0\.1\)\/node\/initramfs; then boot; fi\n/,
  ],
  [
    'a reason, without what GRUB would act on',
    { kind: 'wait', reason: 'no "image"; reboot\n$x `id` {' },
    /^echo "WalT: no {2}image ; reboot {2}x {2}id {3}"\n/,
  ],
  [
    'no script of an image',
    { kind: 'script', target },
    /^echo "WalT: this machine cannot be booted by GRUB"\n/,
  ],
];

describe('GRUB is given', () => {
  for (const [what, choice, words] of choices) {
    test(what, async () => {
      const script = grubScript(choice).toString();
      assert.match(script, words);
      assert.match(script, /\nsleep 10\nreboot\n$/);
      const folder = await mkdtemp(join(tmpdir(), 'walt-grub-'));
      try {
        await writeFile(join(folder, 'grub.cfg'), script);
        await run(['grub-script-check', join(folder, 'grub.cfg')]);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});
