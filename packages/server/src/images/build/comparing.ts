import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Glob } from '@walt/contract';

/** Characters that are compared with places of patterns: in a turn, some hundredths of a second; for a whole build, two minutes. */
const TURN = 1_000_000;
const MOST = 10_000_000_000;

/**
 * Bounds the work of comparing names with patterns, of which users make both, and keeps it from holding up everybody else: after each
 * turn, others have theirs.
 */
export class Comparing {
  readonly #signal: AbortSignal | undefined;
  readonly #tooMuch: () => Error;
  readonly #most: number;
  #done = 0;
  #turn = 0;

  /** `most`: for tests. */
  constructor(tooMuch: () => Error, signal?: AbortSignal, most = MOST) {
    this.#tooMuch = tooMuch;
    this.#signal = signal;
    this.#most = most;
  }

  /**
   * To be called before a text is compared with patterns. To be awaited if it answers something. Throws what `tooMuch` makes, and later
   * the signal's reason.
   */
  begin(text: string, patterns: readonly Glob[]): Promise<void> | undefined {
    let places = 1;
    for (const { tokens } of patterns) places += tokens.length;
    const work = (text.length + 1) * places;
    this.#done += work;
    this.#turn += work;
    if (this.#done > this.#most) throw this.#tooMuch();
    return this.#turn > TURN ? this.#pause() : undefined;
  }

  async #pause(): Promise<void> {
    this.#turn = 0;
    await nextTurn();
    this.#signal?.throwIfAborted();
  }
}
