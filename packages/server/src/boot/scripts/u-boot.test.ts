import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../platform/index.ts';
import { exampleTarget } from '../example-target.ts';
import { questionScript, uBootScript } from './u-boot.ts';

test('scripts are what mkimage makes and checks', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-u-boot-'));
  try {
    const file = join(folder, 'script');
    await writeFile(file, questionScript());
    const listing = await run(['mkimage', '-l', file]);
    assert.match(listing, /Image Name: +WalT\n/);
    assert.match(listing, /Image Type: +ARM Linux Script \(uncompressed\)\n/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a board says what it is, in a name that U-Boot can ask for', () => {
  const [, name = ''] = /tftpboot \$\{scriptaddr\} "([^"]+)"/.exec(questionScript().toString('latin1')) ?? [];
  // biome-ignore lint/suspicious/noTemplateCurlyInString: U-Boot fills these in
  assert.equal(name, 'u-boot?cpu=${cpu}&vendor=${vendor}&fdt=${fdtfile}&type=${board_rev}');
  assert.ok(!name.includes(':'));
});

test('a reason is shown in words that U-Boot cannot take for anything else', () => {
  const script = uBootScript({ kind: 'wait', reason: 'no "image"; reset\n$x' }).toString('latin1');
  assert.match(script, /echo "WalT: no {2}image ; reset {2}x"\n/);
});

test('a kernel is started as its CPU wants it', () => {
  const script = uBootScript({ kind: 'kernel', target: { ...exampleTarget, model: 'qemu-arm64' } });
  assert.match(
    script.toString('latin1'),
    /then if test \$\{cpu\} = armv8; then booti (.*); else bootz \1; fi; fi; fi\n/,
  );
});
