import type { TarHeader } from './header.ts';

/** How much of an archive that somebody sends may be held in memory. */
export interface HeldLimits {
  entries: number;
  /** Bytes. */
  names: number;
  attributes: number;
}

/** Counts what is held of an archive until it has ended. Throws what `tooMuch` makes of a bound that is passed: `more than 5 files`. */
export class Held {
  readonly #limits: HeldLimits;
  readonly #tooMuch: (what: string) => Error;
  #entries = 0;
  #names = 0;
  #attributes = 0;

  constructor(limits: HeldLimits, tooMuch: (what: string) => Error) {
    this.#limits = limits;
    this.#tooMuch = tooMuch;
  }

  entry({ path, target }: Pick<TarHeader, 'path' | 'target'>): void {
    this.#entries += 1;
    this.#names += path.length + target.length;
    const { entries, names } = this.#limits;
    if (this.#entries > entries) throw this.#tooMuch(`more than ${entries} files`);
    if (this.#names > names) throw this.#tooMuch(`more than ${names} bytes of names`);
  }

  attributes({ attributes }: Pick<TarHeader, 'attributes'>): void {
    for (const [name, value] of attributes) this.#attributes += name.length + value.length;
    const most = this.#limits.attributes;
    if (this.#attributes > most) throw this.#tooMuch(`more than ${most} bytes of attributes`);
  }
}
