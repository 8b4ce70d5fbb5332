import { isUserError, type Log, UserError } from '../platform/index.ts';

/** Milliseconds between looks at rights that no event of ours changes: who is a user of this machine. */
const INTERVAL = 10_000;

interface Held {
  /** Throws UserError when the caller may not any more. */
  check(): Promise<void>;
  lost(error: LostRight): void;
}

/** A right that was lost while it was used. What was going on has not ended by itself. */
export class LostRight extends UserError {}

/**
 * Rights in use, by the rows of the policy. A door that was opened stays open only as long as who went through may open it: whoever changes what such rights
 * depend on (a node's owner, say) calls `review`.
 */
export class StandingRights {
  readonly #held = new Set<Held>();
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;

  constructor(log: Log, interval = INTERVAL) {
    this.#log = log;
    this.#timer = setInterval(() => void this.review(), interval).unref();
  }

  /**
   * Does `work` if `check` does not throw, and only as long as it would not: rejects at once with LostRight, in the words
   * of `check`. `work` is then still to be ended by the caller.
   */
  async whileHeld<T>(check: () => Promise<void>, work: () => Promise<T>): Promise<T> {
    const { promise: loss, reject } = Promise.withResolvers<never>();
    loss.catch(() => {});
    // Held before it is asked for the first time: what changes meanwhile is seen.
    const held: Held = { check, lost: reject };
    this.#held.add(held);
    try {
      await check();
      const working = work();
      working.catch(() => {});
      return await Promise.race([working, loss]);
    } finally {
      this.#held.delete(held);
    }
  }

  /** Asks anew for all rights in use; resolves when those that are lost have been told so. */
  async review(): Promise<void> {
    await Promise.all(
      [...this.#held].map(async (held) => {
        try {
          await held.check();
        } catch (reason) {
          // What could not be asked is no refusal: it is asked again.
          if (isUserError(reason)) held.lost(new LostRight(reason.code, reason.message, reason.hint));
          else this.#log.error('cannot review a right in use', { error: String(reason) });
        }
      }),
    );
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
