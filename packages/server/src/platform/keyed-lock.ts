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
