/** Whatever a tree holds, and whatever takes its folders' places meanwhile: nothing outside of it is read or changed. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { attempt } from '../platform/index.ts';
import { everythingIn, HostileTree, hostileTree, SECRET, swap } from './hostile-tree.fixture.ts';
import { CONFINED_TREE, confined, copyFolder, join as joinPath, Tree, withTree } from './index.ts';

/** Paths as files of an image name them. */
const asked = fc.array(
  fc.constantFrom(
    '..',
    '.',
    '',
    'etc',
    'passwd',
    'a',
    'b',
    'boot',
    'outside',
    'secret',
    'folder',
    'usr',
    'bin',
  ),
  { maxLength: 12 },
);

test('paths lead to what is in the tree, or nowhere', async () => {
  await fc.assert(
    fc.asyncProperty(hostileTree, fc.array(asked, { maxLength: 10 }), async (entries, paths) => {
      await using hostile = await HostileTree.make(entries);
      await withTree(hostile.tree, async (tree) => {
        const inside = await inodes(tree);
        for (const path of [...paths.map((parts) => `/${parts.join('/')}`), ...(await pathsOf(tree))]) {
          const place = await tree.find(path);
          if (place) assert.ok(inside.has(place.stats.ino), `${path} leads out`);
          const content = await tree.read(path, 1_000_000).catch((error: unknown) => String(error));
          assert.ok(!String(content).includes(SECRET), path);
          const target = await tree.placeFor(path);
          assert.ok(!target?.split('/').includes('..'), `${path} would be put at ${target}`);
          await tree.target(path).catch((error: Error) => assert.match(error.message, /Too many links/));
        }
      });
      await hostile.assertUntouched();
    }),
    { numRuns: 60 },
  );
});

test('the check of these tests notices what leads out', async () => {
  await using hostile = await HostileTree.make([
    { path: ['a'], kind: 'link', target: 'OUTSIDE', content: '' },
  ]);
  assert.ok((await readFile(join(hostile.tree, 'a/secret'), 'utf8')).includes(SECRET));
  await assert.rejects(hostile.assertUntouched(), { name: 'AssertionError' });
});

test('copies are plain files and folders of what is in the tree', async () => {
  await fc.assert(
    fc.asyncProperty(hostileTree, async (entries) => {
      await using hostile = await HostileTree.make(entries.filter(({ kind }) => kind !== 'sparse'));
      const copy = join(hostile.folder, 'copy');
      await withTree(hostile.tree, (tree) => copyFolder(tree, '', Buffer.from(copy), 10_000_000));
      // Links are copied as they are, and lead nowhere by themselves.
      await attempt(['find', copy, '-type', 'l', '-delete']);
      assert.ok(!(await everythingIn(copy)).includes(SECRET));
      await hostile.assertUntouched();
    }),
    { numRuns: 30 },
  );
});

test('a folder that becomes a link at any moment leads nowhere', async () => {
  await using hostile = await HostileTree.make([]);
  const folders = ['one', 'two/three'].map((name) => join(hostile.tree, name));
  for (const folder of folders) {
    await mkdir(join(folder, 'folder'), { recursive: true });
    for (const name of ['file', 'folder/file', 'folder/secret'])
      await writeFile(join(folder, name), 'inside');
  }
  const seen = { inside: 0, nothing: 0 };
  {
    await using _swapper = swap(folders, hostile.outside);
    for (let round = 0; round < 300; round += 1) {
      await using tree = await Tree.open(hostile.tree);
      const texts = [
        await tree.readText('/one/folder/file', 100),
        await tree.readText('two/three/file', 100),
      ];
      for (const text of texts) {
        if (text !== undefined) assert.equal(text, 'inside');
        seen[text === undefined ? 'nothing' : 'inside'] += 1;
      }
      assert.ok(!(await tree.names('one'))?.includes('passwd'));
      const copy = join(hostile.folder, `copy-${round}`);
      await copyFolder(tree, '', Buffer.from(copy), 1_000_000);
      await attempt(['find', copy, '-type', 'l', '-delete']);
      assert.ok(!(await everythingIn(copy)).includes(SECRET));
      await rm(copy, { recursive: true });
    }
  }
  assert.ok(seen.inside > 0 && seen.nothing > 0, JSON.stringify(seen));
  await hostile.assertUntouched();
});

test('a program that reads the tree by paths sees it and /usr only, changes nothing, and has no rights', async () => {
  await using hostile = await HostileTree.make([
    { path: ['a'], kind: 'link', target: 'OUTSIDE', content: '' },
    { path: ['b'], kind: 'file', target: '', content: 'inside' },
    { path: ['zero'], kind: 'device', target: '', content: '' },
  ]);
  const script = `cat b; cat a/secret /etc/passwd ../outside/secret; head -c 1 zero
    echo x >b; echo x >/x; echo x >/usr/x; mknod n c 1 5; chown 1 b; grep CapEff /usr/../proc/self/status; ls /`;
  const { stdout } = await attempt(confined(hostile.tree, ['sh', '-c', `cd ${CONFINED_TREE}; ${script}`]));
  assert.equal(stdout, 'insidebin\nlib\nlib64\ntree\nusr\n');
  assert.equal(await readFile(join(hostile.tree, 'b'), 'utf8'), 'inside');
  const caps = await attempt(
    confined('/proc', ['sh', '-c', `grep -E 'Cap(Eff|Prm|Bnd)' ${CONFINED_TREE}/self/status`]),
  );
  // Bit 2: CAP_DAC_READ_SEARCH (capability.h).
  assert.deepEqual(new Set(caps.stdout.match(/[0-9a-f]{16}/g)), new Set(['0000000000000004']));
  await hostile.assertUntouched();
});

async function inodes(tree: Tree, folder = '', found = new Set<bigint>()): Promise<Set<bigint>> {
  const own = await tree.stat(folder);
  if (own) found.add(own.ino);
  for (const name of (await tree.names(folder)) ?? []) await inodes(tree, joinPath(folder, name), found);
  return found;
}

async function pathsOf(tree: Tree, folder = ''): Promise<string[]> {
  const names = (await tree.names(folder)) ?? [];
  const below = await Promise.all(names.map((name) => pathsOf(tree, joinPath(folder, name))));
  return [folder, ...below.flat()];
}
