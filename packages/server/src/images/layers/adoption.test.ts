import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Progress } from '@walt/contract';
import { makeVolumes } from './adoption.ts';

const MIB = 1024 * 1024;
const layer = (letter: string, size: number) => ({
  ...{ diffId: `sha256:${letter.repeat(64)}`, folder: `/layers/${letter}`, size },
});

test('volumes tell the bytes that are packed while they are made', async () => {
  const [large, small] = [layer('a', 100 * MIB), layer('b', 10 * MIB)];
  const told: Pick<Progress, 'step' | 'done' | 'total' | 'unit'>[] = [];
  let packed = 0;
  let end = () => {};
  const isOver = new Promise<void>((resolve) => {
    end = resolve;
  });
  const volumes = {
    // The large one grows by each word that is told, and is made when three have told it.
    packed: (diffId: string) => (diffId === large.diffId ? packed : 0),
    ensure: ({ diffId }: { diffId: string }) => (diffId === large.diffId ? isOver : Promise.resolve()),
  };
  const report = (step: string, amount: Pick<Progress, 'done' | 'total' | 'unit'> = {}) => {
    told.push({ step, ...amount });
    packed += 50 * MIB;
    if (packed > 200 * MIB) end();
  };
  await makeVolumes(volumes, [large, small, large], report, undefined, 1);
  const { step, total, unit } = told.at(-1) ?? {};
  assert.deepEqual([step, total, unit], ['Making the volumes that nodes mount', 110 * MIB, 'bytes']);
  // The first two words are those with which the two are begun.
  assert.deepEqual(
    told.slice(0, 5).map(({ done }) => (done ?? 0) / MIB),
    [0, 50, 110, 110, 110],
  );
});
