import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkPersist } from './persist.ts';

test('a /persist without its node, and one that is not there, are told; nothing is removed', async (t) => {
  const persist = await mkdtemp(join(tmpdir(), 'walt-persist-'));
  t.after(() => rm(persist, { recursive: true }));
  await mkdir(join(persist, 'ann'));
  for (const name of ['1.img', '7.img', '1.img.0123456789ab.tmp'])
    await writeFile(join(persist, 'ann', name), '');
  const rows = [
    { id: 1, node: 1, owner: 'ann' },
    { id: 2, node: 2, owner: 'bob' },
  ];
  const byId = async (id: number) => ({ name: `vnode${id}` });
  const found = await Array.fromAsync(checkPersist({ persistFolders: async () => rows, byId }, { persist }));
  assert.deepEqual(
    found.map(({ kind, text, done }) => [kind, text, done]),
    [
      ['persist-lost', `The /persist of bob on node vnode2 is not there: ${persist}/bob/2.img`, null],
      ['persist-unknown', `No node has this /persist of ann: ${persist}/ann/7.img`, null],
    ],
  );
});
