import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiskPart } from '@walt/contract';
import { tellUsers, withoutHidden } from './disk-usage.ts';

const part = (user: string | null, kind: DiskPart['kind'], name: string | null, bytes: number): DiskPart => ({
  ...{ user, kind, name, bytes },
});

const parts = [
  part('ann', 'image', 'lab', 3_000_000_000),
  part('ann', 'image', 'secret', 5_000_000_000),
  part('ann', 'image', 'secret-2', 1_000_000_000),
  part('ann', 'persist', 'n1', 500),
  part('bob', 'shells', null, 42_000_000),
  part(null, 'default-images', null, 9_000_000_000),
];

test('images that somebody may not see count under their owner, without their names', () => {
  const seen = withoutHidden(parts, [{ owner: 'ann', name: 'lab' }]);
  assert.doesNotMatch(JSON.stringify(seen), /secret/);
  assert.deepEqual(
    seen.find(({ kind }) => kind === 'hidden-images'),
    part('ann', 'hidden-images', null, 6_000_000_000),
  );
  // The same name of another owner is another image.
  assert.doesNotMatch(JSON.stringify(withoutHidden(parts, [{ owner: 'bob', name: 'secret' }])), /secret/);
  const all = ['lab', 'secret', 'secret-2'].map((name) => ({ owner: 'ann', name }));
  assert.deepEqual(withoutHidden(parts, all), parts);
});

test('who has most is told first, with what takes most of it', () => {
  assert.equal(
    tellUsers(withoutHidden(parts, [{ owner: 'ann', name: 'lab' }])),
    'Who has most of it: ann: 9.0 GB (images that you may not see, image lab); bob: 42 MB (changes in image shells).',
  );
  assert.equal(tellUsers([part(null, 'logs', null, 5)]), '');
});
