import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Choice, SourceTree, type TreeEntry, tooMuch } from './choice.ts';
import { Comparing } from './comparing.ts';

/** Paths that end with a slash are folders, those with an arrow links. */
function treeOf(...paths: string[]): SourceTree {
  const entries = paths.map((path): [string, TreeEntry] => {
    const [name = '', target] = path.split(' -> ');
    if (target !== undefined) return [name, { kind: 'link', target }];
    return [name.replace(/\/$/, ''), { kind: path.endsWith('/') ? 'folder' : 'other', target: '' }];
  });
  return new SourceTree(new Map(entries));
}

const tree = treeOf(
  ...['a/', 'a/b/', 'a/b/c/', 'a/b/c/f.txt', 'a/b/c/g.md', 'a/b2/', 'a/b2/c/', 'a/b2/c/h.txt'],
  ...['d1/', 'd1/x.txt', 'd1/y.md', 'd1/sub/', 'd1/sub/z.txt', 'd2/', 'd2/x.txt', 'd2/w.png'],
  ...[
    'empty/',
    'file',
    'other',
    'to-a -> a/b',
    'up -> ../../etc',
    'abs -> /d1',
    'loop -> loop',
    '*star',
    'h\xc3\xbc',
  ],
);

const from = (sources: string[], excludes: string[] = []): Choice => ({ sources, excludes, parents: false });
const withParents = (sources: string[], excludes: string[] = []): Choice => ({
  sources,
  excludes,
  parents: true,
});

const cases: [what: string, choice: Choice, to: string[], single?: 'single'][] = [
  ['the content of a folder, without some', from(['d1'], ['*.md']), ['sub', 'sub/z.txt', 'x.txt']],
  ['patterns are from the source on', from(['d1'], ['*.txt']), ['sub', 'sub/z.txt', 'y.md']],
  ['at any depth', from(['d1'], ['**/*.txt']), ['sub', 'y.md']],
  ['a folder that is omitted, with all in it', from(['d1'], ['sub']), ['x.txt', 'y.md']],
  ['several folders come together', from(['d*'], ['*.png', '*.md']), ['sub', 'sub/z.txt', 'x.txt']],
  ['folders and files by a pattern', from(['*1', 'f*e'], ['sub']), ['file', 'x.txt', 'y.md']],
  ['a file by its name is omitted, too', from(['file', 'other'], ['oth*']), ['file']],
  ['one file', from(['file'], ['*.md']), ['file'], 'single'],
  ['one file by a pattern keeps its name', from(['fil?'], ['*.md']), ['file']],
  ['one file of a folder keeps its name', from(['d2'], ['*.png']), ['x.txt']],
  ['all', from(['.'], ['*']), []],
  ['nothing by a pattern', from(['none*'], ['x']), []],
  ['through a link', from(['to-a/c'], ['*.md']), ['f.txt']],
  ['a link that is the source', from(['to-a'], ['c/*.md']), ['c', 'c/f.txt']],
  ['an absolute link', from(['/abs'], ['**/*.txt']), ['sub', 'y.md']],
  ['up leads to the root', from(['../../../d2'], ['*.png']), ['x.txt']],
  ['a name with a star in it', from(['\\*star'], ['x']), ['*star'], 'single'],
  ['a name of two bytes', from(['h?'], ['x']), ['h\xc3\xbc']],
  ['parents', withParents(['a/b/c/f.txt']), ['a', 'a/b', 'a/b/c', 'a/b/c/f.txt']],
  ['parents of a folder', withParents(['/a/b']), ['a', 'a/b', 'a/b/c', 'a/b/c/f.txt', 'a/b/c/g.md']],
  ['from the pivot on', withParents(['a/b/./c/f.txt']), ['c', 'c/f.txt']],
  ['from the first pivot on', withParents(['/a/./b/./c/f.txt']), ['b', 'b/c', 'b/c/f.txt']],
  ['with a dot at the end', withParents(['./a/b2/.']), ['a', 'a/b2', 'a/b2/c', 'a/b2/c/h.txt']],
  ['wildcards before the pivot', withParents(['a/b*/./c/*.txt']), ['c', 'c/f.txt', 'c/h.txt']],
  [
    'wildcards behind it',
    withParents(['a/./*/c']),
    ['b', 'b/c', 'b/c/f.txt', 'b/c/g.md', 'b2', 'b2/c', 'b2/c/h.txt'],
  ],
  ['at any depth, with parents', withParents(['**/h.txt']), ['a', 'a/b2', 'a/b2/c', 'a/b2/c/h.txt']],
  ['both', withParents(['a'], ['**/*.md', 'a/b2']), ['a', 'a/b', 'a/b/c', 'a/b/c/f.txt']],
  ['an empty folder', withParents(['empty']), ['empty']],
  ['wildcards that fit nothing', withParents(['a/x*/./c', 'a/./x*']), []],
  ['several', withParents(['file', 'd2/./x.txt']), ['file', 'x.txt']],
  ['links are copied as links', withParents(['u*']), ['up']],
];
for (const [what, choice, to, single] of cases) {
  test(what, async () => {
    const picks = await tree.choose(choice);
    assert.deepEqual(
      picks.files.map((file) => file.to),
      to,
    );
    assert.equal(picks.single, single !== undefined);
  });
}

for (const choice of [
  from(['none'], ['x']),
  from(['file', 'none'], ['x']),
  from(['loop'], ['x']),
  from(['up'], ['x']),
  from(['file/x'], ['x']),
  from(['d1'], ['[']),
  from(['d1'], ['*', '!x.txt']),
  withParents(['a/none']),
  withParents(['none/./a']),
  withParents(['a/./none']),
]) {
  test(`refuses ${JSON.stringify(choice)}`, async () => {
    await assert.rejects(tree.choose(choice), { name: 'BadChoice' });
  });
}

test('a later source replaces a file of an earlier one', async () => {
  const picks = await tree.choose(from(['d1', 'd2'], ['sub', '*.md', '*.png']));
  assert.deepEqual(picks.files, [{ from: 'd2/x.txt', to: 'x.txt' }]);
});

test('deep trees take no more time than their size', async () => {
  const deep = Array.from({ length: 1500 }, (_, index) => `${'d/'.repeat(index + 1)}`);
  const large = treeOf(...deep, `${'d/'.repeat(1500)}f`);
  assert.equal((await large.choose(withParents(['**/f']))).files.length, 1501);
});

test('many patterns for many files keep nobody waiting, and end with their client', async () => {
  const large = Array.from({ length: 20_000 }, (_, index) => `folder-${index % 100}/file-${index}`);
  const entries = new Map(large.map((path): [string, TreeEntry] => [path, { kind: 'other', target: '' }]));
  for (let folder = 0; folder < 100; folder += 1)
    entries.set(`folder-${folder}`, { kind: 'folder', target: '' });
  const left = new AbortController();
  const choice = withParents(Array.from({ length: 10_000 }, (_, index) => `**/none*${index}`));
  const choosing = new SourceTree(entries, new Comparing(tooMuch, left.signal)).choose(choice);
  // Nobody had a turn before all was chosen, which took hours.
  setImmediate(() => left.abort(new Error('he has left')));
  await assert.rejects(choosing, { message: 'he has left' });
});

test('what is compared in all steps has a bound', async () => {
  const comparing = new Comparing(tooMuch, undefined, 10_000);
  const bounded = new SourceTree(new Map([['file', { kind: 'other', target: '' }]]), comparing);
  await bounded.choose(withParents(['f*']));
  const choice = from(Array(1000).fill('f*'), ['x']);
  await assert.rejects(bounded.choose(choice), { name: 'BadChoice', message: /too many patterns/ });
});
