import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LayerHolder, shareLayers } from './usage.ts';

const layers = new Map([
  ['default', ['base']],
  ['lab', ['base', 'tools', 'lab']],
  ['lab-old', ['base', 'tools', 'old']],
  ['other', ['base', 'tools', 'other']],
  ['theirs', ['base', 'common', 'theirs']],
  ['copy', ['base', 'common']],
]);
const sizes = new Map([
  ...([
    ['base', 1],
    ['tools', 10],
    ['lab', 100],
    ['old', 1000],
    ['other', 10_000],
  ] as const),
  ...([
    ['common', 100_000],
    ['theirs', 1_000_000],
  ] as const),
]);
const image = (user: string, name: string): LayerHolder => ({ user, kind: 'image', name, digests: [name] });
const older = (user: string, digest: string): LayerHolder => ({
  ...{ user, kind: 'older-versions', name: null, digests: [digest] },
});
const platform: LayerHolder = { user: null, kind: 'default-images', name: null, digests: ['default'] };

const told = (holders: readonly LayerHolder[]) =>
  Object.fromEntries(
    shareLayers(holders, layers, sizes).map(({ user, kind, name, bytes }) => [
      [user, kind, name].filter((part) => part !== null).join(' '),
      bytes,
    ]),
  );

test('each layer counts once, where its removal would give it back', () => {
  assert.deepEqual(told([platform, image('ann', 'lab'), older('ann', 'lab-old')]), {
    'default-images': 1,
    'ann image lab': 110,
    'ann older-versions': 1000,
  });
  assert.deepEqual(told([platform, image('ann', 'lab'), image('ann', 'other')]), {
    'default-images': 1,
    'ann shared-layers': 10,
    'ann image lab': 100,
    'ann image other': 10_000,
  });
  assert.deepEqual(told([image('bob', 'theirs'), image('ann', 'copy'), image('ann', 'lab')]), {
    'shared-layers': 100_001,
    'bob image theirs': 1_000_000,
    'ann image lab': 110,
  });
});
