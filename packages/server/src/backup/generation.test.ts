import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countsOf } from './generation.ts';

test('lines of logs are told apart from file systems of /persist and disks of nodes', () => {
  const pieces = { digest: `sha256:${'a'.repeat(64)}`, size: 2 };
  const disk = (...path: string[]) => ({ path, size: 4096, pieces });
  const persist = [disk('persist', 'ann', '1.img'), disk('persist', 'bob', '1.img')];
  const all = [...persist, disk('node-disks', '1', '1.img'), disk('logs.db')];
  assert.deepEqual(countsOf({ disks: all }), { disks: 2, nodeDisks: 1, lines: true });
  assert.deepEqual(countsOf({ disks: persist }), { disks: 2, nodeDisks: 0, lines: false });
});
