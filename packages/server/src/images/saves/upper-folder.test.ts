import assert from 'node:assert/strict';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../platform/index.ts';
import { HostileTree, swap } from '../../trees/hostile-tree.fixture.ts';
import { textOf } from '../../trees/index.ts';
import { changedLayer } from './changed-layer.ts';
import { DEEDS, overlaid, SET_UP } from './overlaid.fixture.ts';
import { inspectChanges } from './upper-folder.ts';

for (const [what, deeds, changes] of DEEDS) {
  test(what, async () => {
    await overlaid(SET_UP, deeds, async ({ lower, upper }) => {
      const verdict = await inspectChanges(upper, lower);
      const told = verdict.changes.map(({ kind, path }) => `${kind} ${textOf(path).slice(1)}`);
      assert.deepEqual(told, changes);
    });
  });
}

test('more than may be held in memory is refused, whatever there is so much of', async () => {
  const limits = { entries: 20, names: 600, attributes: 0 };
  const cases: [what: string, [setUp: string, deed: string]][] = [
    ['more than 20 files', ['mkdir a', 'touch $(seq 30)']],
    ['more than 20 files', ['mkdir a; touch $(seq -f a/%g 30)', 'touch a/new']],
    [
      'more than 600 bytes of names',
      ['mkdir a', 'for n in 1 2 3 4 5; do ln -s "$(printf %0200d 1)" $n; done'],
    ],
  ];
  for (const [what, [setUp, deeds]] of cases) {
    await overlaid(setUp, deeds, async ({ lower, upper }) => {
      await assert.rejects(inspectChanges(upper, lower, { limits }), {
        name: 'UserError',
        message: new RegExp(`is ${what}`),
      });
    });
  }
  await overlaid('mkdir a; touch $(seq -f a/%g 15)', 'touch a/new', async ({ lower, upper }) => {
    assert.equal((await inspectChanges(upper, lower, { limits })).changes.length, 1);
  });
});

test('a name that is no UTF-8 is known byte by byte', async () => {
  const deeds = `cd a; touch "$(printf 'new\\377')"; : >>"$(printf 'old\\377')"`;
  await overlaid(`${SET_UP}\ntouch "$(printf 'a/old\\377')"`, deeds, async ({ lower, upper }) => {
    const { changes, layer } = await inspectChanges(upper, lower);
    assert.deepEqual(changes, [{ kind: 'A', path: '/a/new\xff' }]);
    assert.deepEqual(layer.entries, ['/a', '/a/new\xff']);
  });
});

test('what overlayfs keeps apart, moved folders and data that lies below, is in the layer as a whole', async () => {
  const setUp = `${SET_UP}\nhead -c 100000 /dev/urandom >c/d/data`;
  const deeds = 'mv c/d a/moved; chmod 600 c/four; echo 9 >a/moved/three';
  const options = 'metacopy=on,redirect_dir=on';
  await overlaid(
    setUp,
    deeds,
    async ({ lower, upper, merged }) => {
      const { layer, changes } = await inspectChanges(upper, lower);
      assert.ok(layer.partial);
      assert.deepEqual(layer.moved, ['/a/moved']);
      assert.deepEqual(
        changes.map(({ kind, path }) => `${kind} ${path}`),
        ['A /a/moved', 'D /c/d', 'M /c/four'],
      );
      const tar = join(lower, '../layer.tar');
      await writeFile(tar, changedLayer(merged, layer));
      const out = join(lower, '../out');
      await mkdir(out);
      await run(['tar', '-xpf', tar, '-C', out]);
      for (const path of ['a/moved/data', 'a/moved/three', 'c/four']) {
        await run(['cmp', join(out, path), join(merged, path)]);
      }
      assert.ok(await stat(join(out, 'c/.wh.d')));
    },
    options,
  );
});

test('a container that runs tells the same', async () => {
  const deeds = 'setfattr -n trusted.mark -v 1 empty; rm -r c; mkdir c; echo 5 >c/five; ln -sfn b/two a/link';
  await overlaid(SET_UP, deeds, async ({ lower, upper }) => {
    assert.deepEqual(await inspectChanges(upper, lower, { live: true }), await inspectChanges(upper, lower));
  });
});

test('whatever a container that runs puts in its folders’ places, only what is in it is looked at', async () => {
  await using hostile = await HostileTree.make([]);
  const lower = join(hostile.folder, 'lower');
  const folders = ['one', 'two/three'].map((name) => join(hostile.tree, name));
  for (const folder of [...folders, lower]) await mkdir(join(folder, 'folder'), { recursive: true });
  for (const folder of folders) await writeFile(join(folder, 'folder/inside'), 'inside');
  await run(['setfattr', '-n', 'user.secret', '-v', 'x', '--', join(hostile.outside, 'folder')]);
  await hostile.remember();
  const told = new Set<string>();
  {
    await using _swapper = swap(folders, hostile.outside);
    for (let round = 0; round < 40; round += 1) {
      const { changes } = await inspectChanges(hostile.tree, lower, { live: true });
      for (const { path } of changes) told.add(path);
    }
  }
  assert.ok(told.has('/one/folder/inside'), [...told].join(' '));
  for (const path of told) assert.doesNotMatch(path, /secret|passwd|file/);
  await hostile.assertUntouched();
});
