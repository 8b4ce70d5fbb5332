import assert from 'node:assert/strict';

/** Milliseconds below which a time says nothing. */
const NOISE = 20;

/**
 * Throws when four times as large an input takes far more than four times as long: 16 times where each part is compared with each other.
 * The best of three counts, since others use the machine, too.
 */
export function assertLinear(size: number, act: (size: number) => void): void {
  const time = (of: number) => {
    const all = [1, 2, 3].map(() => {
      const start = performance.now();
      act(of);
      return performance.now() - start;
    });
    return Math.min(...all);
  };
  const [small, large] = [time(size), time(4 * size)];
  assert.ok(large < 9 * Math.max(small, NOISE), `${size}: ${small} ms, ${4 * size}: ${large} ms`);
}
