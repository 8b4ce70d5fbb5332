/**
 * Works on all of these, `most` at a time. The first failure begins no more of them, and is thrown when those that were begun have
 * ended.
 */
export async function inParallel<T>(
  items: Iterable<T>,
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = Iterator.from(items);
  let failure: { reason: unknown } | undefined;
  const worker = async () => {
    for (let next = waiting.next(); !next.done && !failure; next = waiting.next()) {
      try {
        await work(next.value);
      } catch (reason) {
        failure ??= { reason };
      }
    }
  };
  await Promise.all(Array.from({ length: most }, worker));
  if (failure) throw failure.reason;
}

/** One at a time per key. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** Calls `onWait` first where somebody else holds it. */
  async hold<T>(key: string, act: () => Promise<T>, onWait?: () => void): Promise<T> {
    const before = this.#tails.get(key);
    if (before) onWait?.();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tails.set(key, promise);
    await before;
    try {
      return await act();
    } finally {
      if (this.#tails.get(key) === promise) this.#tails.delete(key);
      resolve();
    }
  }
}

interface Turns {
  busy: number;
  waiting: (() => void)[];
}

/** So many at a time per key, at most; the others wait in the order in which they came. */
export class KeyedTurns {
  readonly #most: number;
  readonly #all = new Map<string, Turns>();

  constructor(most: number) {
    this.#most = most;
  }

  async take<T>(key: string, act: () => Promise<T>): Promise<T> {
    const turns = this.#all.get(key) ?? { busy: 0, waiting: [] };
    this.#all.set(key, turns);
    if (turns.busy < this.#most) turns.busy += 1;
    else await new Promise<void>((resolve) => turns.waiting.push(resolve));
    try {
      return await act();
    } finally {
      // Whoever waits takes over the place.
      const next = turns.waiting.shift();
      if (next) next();
      else turns.busy -= 1;
      if (turns.busy === 0) this.#all.delete(key);
    }
  }
}
