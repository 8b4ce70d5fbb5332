import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds between two looks at something that gives no event. */
const PAUSE = 100;

/**
 * Looks again and again until the answer is neither undefined nor false, and answers it. Throws what `look` throws, at once;
 * and after `limit` milliseconds, with `what` in the message.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  limit = 60_000,
): Promise<T> {
  const deadline = Date.now() + limit;
  for (;;) {
    const answer = await look();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() >= deadline) throw new Error(`waited ${limit / 1000} s in vain: ${what}`);
    await delay(PAUSE);
  }
}
