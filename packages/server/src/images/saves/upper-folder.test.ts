import assert from 'node:assert/strict';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/platform.ts';
import { attempt, run } from '../../platform/index.ts';
import { HostileTree, swap } from '../../trees/hostile-tree.fixture.ts';
import { textOf } from '../../trees/index.ts';
import { changedLayer } from './changed-layer.ts';
import { inspectChanges } from './upper-folder.ts';

/** A real overlay, made like a container's; `deeds` run in its merged view. */
async function overlaid<T>(
  setUp: string,
  deeds: string,
  look: (folders: { lower: string; upper: string; merged: string }) => Promise<T>,
  mountOptions = 'redirect_dir=off,metacopy=off',
): Promise<T> {
  const folder = await temporaryFolder();
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(folder, name));
  if (!lower || !upper || !work || !merged) throw new TypeError();
  for (const path of [lower, upper, work, merged]) await mkdir(path);
  try {
    await run(['sh', '-euc', setUp], { cwd: lower });
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work},${mountOptions}`;
    await run(['mount', '-t', 'overlay', 'overlay', '-o', options, merged]);
    await run(['sh', '-euc', deeds], { cwd: merged });
    return await look({ lower, upper, merged });
  } finally {
    await attempt(['umount', merged]);
    await rm(folder, { recursive: true });
  }
}

const SET_UP = `
  mkdir -p a/b c/d empty
  echo 1 > a/one; echo 2 > a/b/two; echo 3 > c/d/three; echo 4 > c/four
  ln -s one a/link
  cp /bin/true tool`;

const cases: [what: string, deeds: string, changes: string[]][] = [
  ['nothing', 'ls -R > /dev/null', []],
  ['a file opened for writing', ': >> a/one', []],
  ['made and deleted again', 'echo x > a/new; rm a/new; mkdir a/dir; rmdir a/dir', []],
  [
    'same size, same time, other bytes',
    'touch -r a/one /tmp/.$$; echo 9 > a/one; touch -r /tmp/.$$ a/one; rm /tmp/.$$',
    ['M a/one'],
  ],
  ['chmod to what it was', 'chmod 644 a/one', []],
  ['chmod', 'chmod 600 a/one', ['M a/one']],
  ['chmod of a folder', 'chmod 700 a/b', ['M a/b']],
  ['deleted', 'rm a/one; rm -r c', ['D a/one', 'D c']],
  ['deleted and made anew', 'rm -r c; mkdir c; echo 5 > c/five', ['M c', 'D c/d', 'A c/five', 'D c/four']],
  ['a folder in place of a file', 'rm a/one; mkdir a/one; echo 6 > a/one/six', ['M a/one', 'A a/one/six']],
  ['a file in place of a folder', 'rm -r c; echo 7 > c', ['M c']],
  [
    'a capability',
    'setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 tool',
    ['M tool'],
  ],
  ['an attribute of a folder', 'setfattr -n trusted.mark -v 1 empty', ['M empty']],
  ['a second link', 'ln a/one a/other', ['M a/one', 'A a/other']],
  ['a link turned', 'ln -sfn b/two a/link', ['M a/link']],
  ['moved', 'mv a/one c/moved', ['D a/one', 'A c/moved']],
  ['odd names', "touch 'a/ö\\ü' 'a/two\nlines' a/-rf", ['A a/-rf', 'A a/two\nlines', 'A a/ö\\ü']],
];

for (const [what, deeds, changes] of cases) {
  test(what, async () => {
    await overlaid(SET_UP, deeds, async ({ lower, upper }) => {
      const verdict = await inspectChanges(upper, lower);
      const told = verdict.changes.map(({ kind, path }) => `${kind} ${textOf(path).slice(1)}`);
      assert.deepEqual(told, changes);
    });
  });
}

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
