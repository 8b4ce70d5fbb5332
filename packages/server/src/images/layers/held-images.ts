/** An image that must stay, though no name points to it yet. */
export interface Hold {
  /** Lets go of it, after `seconds`. */
  release(seconds?: number): void;
}

interface Held {
  digest: string;
  layers: readonly string[];
  /** Milliseconds of the clock that `now` reads. */
  until: number;
}

/** Images on their way in or out: what collects unneeded ones leaves them alone. */
export class HeldImages {
  readonly #held = new Set<Held>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** `layers` are diff IDs. The same image may be held several times. */
  hold(digest: string, layers: readonly string[]): Hold {
    const held: Held = { digest, layers, until: Number.POSITIVE_INFINITY };
    this.#held.add(held);
    return {
      release: (seconds = 0) => {
        held.until = this.#now() + seconds * 1000;
      },
    };
  }

  /** A name points to it now: nobody need wait for it any longer. */
  claim(digest: string): void {
    for (const held of this.#held) {
      if (held.digest === digest && held.until < Number.POSITIVE_INFINITY) this.#held.delete(held);
    }
  }

  digests(): Set<string> {
    return new Set(this.#current().map(({ digest }) => digest));
  }

  layers(): Set<string> {
    return new Set(this.#current().flatMap(({ layers }) => layers));
  }

  #current(): Held[] {
    const now = this.#now();
    for (const held of this.#held) if (held.until <= now) this.#held.delete(held);
    return [...this.#held];
  }
}
