import type { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Node, WithProgress } from '@walt/contract';
import { nameList, UserError } from '../platform/index.ts';

/** Milliseconds between two looks, at least: many nodes that boot at once change all the time. */
const PAUSE = 100;
/** Milliseconds after which it looks though nothing has changed: silence is no event. */
const PATIENCE = 2_000;

/**
 * Ends when all nodes that `look` answers have booted; says how many have, and where a single one is, each time that changes.
 * Throws UserError TIMEOUT after `timeout` seconds, UNAVAILABLE as soon as one has failed for good, and the signal's reason when the client is gone. Looks
 * again at each `change`.
 */
export async function* waitBooted(
  look: () => Promise<Node[]>,
  changes: EventEmitter<{ change: [] }>,
  timeout: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<WithProgress<{ nodes: string[] }>, void> {
  const limit =
    timeout === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeout * 1000)]);
  let told = '';
  for (;;) {
    // Listens before it looks, so that no change falls between the two.
    const changed = nextChange(changes, limit);
    const nodes = await look();
    const missing = nodes.filter((node) => node.state !== 'booted');
    const done = nodes.length - missing.length;
    if (missing.length === 0) {
      yield { type: 'result', value: { nodes: nodes.map((node) => node.name) } };
      return;
    }
    const failed = missing.filter(({ boot }) => boot?.final);
    if (failed.length > 0) throw failure(failed);
    const step = nodes.length === 1 ? stepOf(missing[0]) : 'nodes boot';
    if (told !== `${step} ${done}`) {
      told = `${step} ${done}`;
      yield { type: 'progress', step, done, total: nodes.length, unit: 'nodes' };
    }
    if (limit.aborted) {
      signal.throwIfAborted();
      throw new UserError(
        'TIMEOUT',
        `${nameList(missing)} not booted after ${timeout} seconds.`,
        hintFor(missing),
      );
    }
    await changed;
    await pause(limit);
  }
}

function stepOf(node: Node | undefined): string {
  const step = node?.boot?.step;
  return `${node?.name} boots${step ? ` (${step})` : ''}`;
}

function failure(failed: readonly Node[]): UserError {
  const [first] = failed;
  if (first?.trouble && failed.length === 1)
    return new UserError('UNAVAILABLE', first.trouble.message, first.trouble.hint);
  const names = failed.map(({ name }) => name);
  return new UserError(
    'UNAVAILABLE',
    `${names.join(', ')} could not boot, and nothing more is tried.`,
    `See why with: walt node show ${names[0]}`,
  );
}

async function pause(limit: AbortSignal): Promise<void> {
  try {
    await delay(PAUSE, undefined, { signal: limit });
  } catch (error) {
    if (!limit.aborted) throw error;
  }
}

function hintFor([first, ...others]: readonly Node[]): string {
  if (!first || others.length > 0) return 'See which, and why, with: walt node show';
  if (first.trouble) return `${first.trouble.message} ${first.trouble.hint}`;
  return first.type === 'virtual'
    ? `Watch it boot with: walt node console ${first.name}`
    : 'Look at its screen, or at what the server knows of it: walt node show';
}

function nextChange(changes: EventEmitter<{ change: [] }>, limit: AbortSignal): Promise<void> {
  if (limit.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => done(), PATIENCE);
    const done = () => {
      clearTimeout(timer);
      changes.off('change', done);
      limit.removeEventListener('abort', done);
      resolve();
    };
    changes.on('change', done);
    limit.addEventListener('abort', done);
  });
}
