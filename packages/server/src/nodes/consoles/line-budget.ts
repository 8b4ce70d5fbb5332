/** Bytes that a console may print at once, and a second: more than a serial line of 115200 baud can. */
const MOST = 1024 * 1024;
const EACH_SECOND = 16 * 1024;
/** Bytes that must be there again before lines are kept, once there were none: they are dropped in few long runs. */
const AGAIN = 64 * 1024;
/** Bytes that a line costs besides its text. */
const LINE = 24;

/** Which lines of a console are kept: a node that prints without end must not fill the database. Times are in milliseconds. */
export class LineBudget {
  #left = MOST;
  #at: number;
  #drops = false;

  constructor(now: number) {
    this.#at = now;
  }

  /** True when a line of so many bytes is kept. */
  takes(bytes: number, now: number): boolean {
    this.#refill(now);
    this.#drops = this.#left < (this.#drops ? AGAIN : bytes + LINE);
    if (!this.#drops) this.#left -= bytes + LINE;
    return !this.#drops;
  }

  /** Milliseconds until lines are kept again. */
  wait(now: number): number {
    this.#refill(now);
    return this.#drops ? Math.max(0, ((AGAIN - this.#left) / EACH_SECOND) * 1000) : 0;
  }

  #refill(now: number): void {
    const passed = Math.max(0, now - this.#at);
    this.#left = Math.min(MOST, this.#left + (passed * EACH_SECOND) / 1000);
    this.#at = now;
  }
}
