import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, heard, serverTime, settled } from './clock.ts';

const SECOND = 1e6;
const T = 1_790_000_000 * SECOND;

/** Sends at these times of the node's clock, over ways of these seconds; the clock is behind by `behind`. */
function sends(behind: number, ...sendings: [at: number, way: number, boot?: string][]): Clock {
  let known: Clock | undefined;
  for (const [at, way, boot = 'one'] of sendings) {
    const arrival = { clock: T + at * SECOND, now: T + (at + behind + way) * SECOND };
    known = settled(heard(known, boot, arrival), arrival.clock);
  }
  assert.ok(known);
  return known;
}

/** In seconds. */
function told(clock: Clock, at: number): number {
  return (serverTime(clock, T + at * SECOND) - T) / SECOND;
}

test("a node's time becomes the server's, by the shortest way that was seen", () => {
  for (const behind of [0, 100, -100, 30 * 365 * 86_400]) {
    assert.equal(told(sends(behind, [0, 0]), 5), behind + 5);
    assert.equal(told(sends(behind, [0, 3], [4, 0.25], [8, 2]), 9), behind + 9.25);
  }
});

test('a shorter way changes no order', () => {
  const clock = sends(0, [10, 3], [11, 0]);
  // 10 was told as 13.
  assert.deepEqual(
    [10.5, 11, 12.5, 13, 14].map((at) => told(clock, at)),
    [12.5, 13, 13, 13, 14],
  );
  assert.equal(told(sends(0, [10, 3], [10.5, 0]), 10.75), 13);
});

test('a clock that was set, or is that of another boot, is believed at once', () => {
  assert.equal(told(sends(0, [10, 0], [11, 59]), 12), 12);
  // Back by an hour: what looks like a way of an hour is none.
  assert.equal(told(sends(0, [4000, 0], [400, 3600]), 401), 4001);
  assert.equal(told(sends(0, [10, 0], [11, -3600]), 12), -3588);
  assert.equal(told(sends(0, [10, 0], [11, 20, 'two']), 12), 32);
});

test('a clock that runs too slowly is followed', () => {
  const clock = sends(0, [0, 0], [601, 1], [1202, 2], [1803, 3]);
  assert.equal(told(clock, 1804), 1806);
});
