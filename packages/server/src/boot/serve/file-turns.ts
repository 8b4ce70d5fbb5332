interface Turns {
  busy: number;
  waiting: (() => void)[];
}

/** So many at a time for each key; who comes later waits for his turn. */
export class FileTurns {
  readonly #most: number;
  readonly #all = new Map<string, Turns>();

  constructor(most: number) {
    this.#most = most;
  }

  async take(key: string, act: () => Promise<void>): Promise<void> {
    const turns = this.#all.get(key) ?? { busy: 0, waiting: [] };
    this.#all.set(key, turns);
    if (turns.busy < this.#most) turns.busy += 1;
    else await new Promise<void>((resolve) => turns.waiting.push(resolve));
    try {
      await act();
    } finally {
      const next = turns.waiting.shift();
      // Whoever waits takes over the place.
      if (next) next();
      else turns.busy -= 1;
      if (turns.busy === 0) this.#all.delete(key);
    }
  }
}
