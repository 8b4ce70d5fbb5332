import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/platform.ts';
import { run } from '../../platform/index.ts';
import { parseDump, readAttributes } from './attributes.ts';

test('reads what getfattr prints', () => {
  const text = '# file: /a\\134b\nuser.one=0x31\nuser.empty\n\n# file: /x\\012y\nuser.t\\075x=0x32\n\n';
  assert.deepEqual(
    parseDump(text),
    new Map([
      [
        '/a\\b',
        new Map([
          ['user.one', '0x31'],
          ['user.empty', ''],
        ]),
      ],
      ['/x\ny', new Map([['user.t\\075x', '0x32']])],
    ]),
  );
});

test('reads attributes of many files, whatever their names', async () => {
  const folder = await temporaryFolder();
  try {
    const names = [
      'plain',
      '-rf',
      'back\\slash',
      'two\nlines',
      'ünï',
      ...Array.from({ length: 250 }, (_, n) => `f${n}`),
    ];
    const paths = [
      ...names.map((name) => rawOf(join(folder, name))),
      `${rawOf(join(folder, 'no-utf8-'))}\xff`,
    ];
    for (const path of paths) await writeFile(Buffer.from(path, 'latin1'), '');
    await run(['sh', '-c', 'setfattr -n trusted.mark -v 0x01ff -- "$1"/*', 'sh', folder]);
    const found = await readAttributes([...paths, rawOf(join(folder, 'absent'))]);
    assert.deepEqual(new Set(found.keys()), new Set(paths));
    for (const path of paths) assert.equal(found.get(path)?.get('trusted.mark'), '0x01ff');
  } finally {
    await rm(folder, { recursive: true });
  }
});

function rawOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
