/** What a build leaves in its folder, or somebody puts there meanwhile, leads root nowhere else. */
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';
import { isExternalError } from '../../platform/index.ts';
import { HostileTree, hostileTree, makeDeepFolder, SECRET, swap } from '../../trees/hostile-tree.fixture.ts';
import { CrossBuilds } from './builds.ts';
import { compareSnapshots, packEntries, takeSnapshot } from './work-folder.ts';

/** What goes back to the user of a folder that was empty before. */
async function whatComesBack(folder: string): Promise<string> {
  const { changed } = compareSnapshots(new Map(), await takeSnapshot(folder));
  return (await buffer(packEntries(folder, changed))).toString('latin1');
}

test('whatever is in it, what comes back is of it', async () => {
  await fc.assert(
    fc.asyncProperty(hostileTree, async (entries) => {
      await using hostile = await HostileTree.make(entries.filter(({ kind }) => kind !== 'sparse'));
      assert.ok(!(await whatComesBack(hostile.tree)).includes(SECRET));
      await hostile.assertUntouched();
    }),
    { numRuns: 30 },
  );
});

test('a folder that becomes a link while it is packed brings back no file of mode 600', async () => {
  await using hostile = await HostileTree.make([]);
  const folders = ['one', 'two/three'].map((name) => join(hostile.tree, name));
  for (const folder of folders) {
    await mkdir(join(folder, 'folder'), { recursive: true });
    for (const name of ['file', 'secret', 'folder/file']) await writeFile(join(folder, name), 'inside');
  }
  let whole = 0;
  {
    await using _swapper = swap(folders, hostile.outside);
    for (let round = 0; round < 60; round += 1) {
      try {
        assert.ok(!(await whatComesBack(hostile.tree)).includes(SECRET));
        whole += 1;
      } catch (error) {
        // A name that was there a moment ago is none now.
        assert.ok(isExternalError(error), String(error));
      }
    }
  }
  assert.ok(whole > 0);
  await hostile.assertUntouched();
});

test('folders in each other without an end are refused, not followed', async () => {
  await using hostile = await HostileTree.make([]);
  await mkdir(join(hostile.tree, ...Array.from({ length: 250 }, () => 'd')), { recursive: true });
  const before = (await readdir('/proc/self/fd')).length;
  await assert.rejects(takeSnapshot(hostile.tree), { code: 'INVALID', message: /200 folders/ });
  assert.equal((await readdir('/proc/self/fd')).length, before);
});

test('a server starts though a build was killed in folders that are deeper than a path may be', async () => {
  await using hostile = await HostileTree.make([]);
  const builds = join(hostile.tree, 'builds');
  await makeDeepFolder(join(builds, 'one', 'work'));
  const deps = { paths: { builds } } as ConstructorParameters<typeof CrossBuilds>[0];
  await new CrossBuilds(deps).recover();
  assert.deepEqual(await readdir(hostile.tree), []);
});
