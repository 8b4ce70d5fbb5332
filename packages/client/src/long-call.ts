/** Calls that take more than a moment: they tell their progress, then their result (contract, `withProgress`). */
import type { Progress, WithProgress } from '@walt/contract';
import { AbortError } from './errors.ts';

/** Follows a call to its result. Throws what the call throws, and AbortError when it ends without one. */
export async function resultOf<T>(
  events: Promise<AsyncIterable<WithProgress<T>>>,
  onProgress: (progress: Progress) => void = () => {},
): Promise<T> {
  for await (const event of await events) {
    if (event.type === 'result') return event.value;
    onProgress(event);
  }
  throw new AbortError(
    'UNAVAILABLE',
    'The WalT server ended the call without a result.',
    'See `sudo walt-server status`, then repeat the command.',
  );
}
