import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { DiskPart } from '@walt/contract';
import { temporaryFolder } from '../../test/platform.ts';
import { platformPaths } from '../platform/index.ts';
import { DiskUsers, tellUsers, withoutHidden } from './disk-usage.ts';

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

test('many who ask at once have the disk walked over for all of them together', async (context) => {
  const state = await temporaryFolder();
  context.after(() => rm(state, { recursive: true }));
  let walks = 0;
  const users = new DiskUsers({
    paths: platformPaths({ state, runtime: state, cache: state }),
    reserved: undefined,
    ofUsers: [
      async () => {
        walks += 1;
        return [part('ann', 'persist', 'n1', walks)];
      },
    ],
    seen: async () => [],
  });
  const caller = { uid: 1000, user: 'ann', role: 'member' } as const;
  const asked = async () => {
    const { parts } = await users.of(caller);
    return parts.find(({ kind }) => kind === 'persist')?.bytes;
  };
  assert.deepEqual(await Promise.all([asked(), asked(), asked()]), [1, 1, 1]);
  // Who comes while one goes on has what was done before counted.
  const first = asked();
  await setImmediate();
  assert.deepEqual(await Promise.all([first, asked(), asked()]), [2, 3, 3]);
});
