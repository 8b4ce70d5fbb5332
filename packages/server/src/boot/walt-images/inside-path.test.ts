import assert from 'node:assert/strict';
import { test } from 'node:test';
import { insidePath } from './inside-path.ts';

const rows: [written: string, read: string][] = [
  ['etc/passwd', 'etc/passwd'],
  ['a/../../../tmp/x', 'tmp/x'],
  ['../../etc', 'etc'],
  ['/etc', 'etc'],
  ['a/./b//c', 'a/b/c'],
  ['tmp\0/x', 'tmp/x'],
  ['..', ''],
];
for (const [written, read] of rows) {
  test(`a record that says ${JSON.stringify(written)} means ${JSON.stringify(read)}, whoever wrote it`, () => {
    assert.equal(insidePath.parse(written), read);
  });
}
