import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExportsSeen, type ExportWish, planExports, type TreeWish } from './exports.ts';
import { exports, node } from './plan.fixture.ts';

const image = { digest: 'sha256:1', layers: ['sha256:2'], size: 1 };
const folder = (key: string) => `/var/lib/walt/nodes/${key}/fs`;
const tree: TreeWish = {
  image,
  ip: node.ip,
  paths: ['10.73.0.2', '52:54:00:00:00:01', '52-54-00-00-00-01', 'vnode1'].map(folder),
};
const settled: ExportsSeen = { exports, trees: [] };
const set = (trees: TreeWish[]) => [{ kind: 'setExports', exports, trees }];

const rows: [name: string, node: ExportWish, seen: ExportsSeen, steps: object[]][] = [
  ['are left alone when they are as they should be', node, settled, []],
  ['are set after a start, when nothing is known', node, { exports: null, trees: null }, set([])],
  ['are set when only the trees are unknown', node, { exports, trees: null }, set([])],
  ['follow the image that a node mounts', { ...node, tree: image }, settled, set([tree])],
  [
    'are not named after a node that is called like another one’s address',
    { ...node, name: 'default', tree: image },
    settled,
    set([{ ...tree, paths: tree.paths.slice(0, 3) }]),
  ],
  [
    'end with what a node may mount',
    { ...node, persist: [] },
    settled,
    [{ kind: 'setExports', exports: [], trees: [] }],
  ],
];
for (const [name, node, seen, steps] of rows) {
  test(`exports ${name}`, () => {
    assert.deepEqual(planExports([node], seen), steps);
  });
}
