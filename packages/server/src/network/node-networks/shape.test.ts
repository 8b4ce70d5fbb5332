import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LinkShape } from '@walt/contract';
import { shapeWords } from './shape.ts';

const rows: [shape: LinkShape, words: string | undefined][] = [
  [{}, undefined],
  [{ bandwidth: 1e6 }, 'tbf rate 1000000bit burst 4000 limit 36000'],
  [{ bandwidth: 100e6 }, 'tbf rate 100000000bit burst 50000 limit 675000'],
  [{ bandwidth: 100e9 }, 'tbf rate 100000000000bit burst 50000000 limit 675000000'],
  [{ latency: 10_000 }, 'netem limit 20000 delay 10000us'],
  [{ latency: 10_000, bandwidth: 1e6 }, 'netem limit 1000 delay 10000us rate 1000000bit'],
  [{ latency: 100_000, bandwidth: 1e9 }, 'netem limit 12385 delay 100000us rate 1000000000bit'],
  [{ latency: 1, bandwidth: 100e9 }, 'netem limit 20000 delay 1us rate 100000000000bit'],
];
for (const [shape, words] of rows) {
  test(`${JSON.stringify(shape)} is done by: ${words ?? 'nothing'}`, () => {
    assert.equal(shapeWords(shape)?.join(' '), words);
  });
}
