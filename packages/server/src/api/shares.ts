import type { ServerResponse } from 'node:http';
import { UserError } from '../platform/index.ts';

/** How much of one thing each user has at a time, so that nobody takes what others need. */
export class Shares {
  readonly #what: string;
  readonly #each: number;
  readonly #taken = new Map<string, number>();

  /** `what`: in the plural, as users are told. */
  constructor(what: 'calls' | 'streams', each: number) {
    this.#what = what;
    this.#each = each;
  }

  /** Takes one more until the answer is out or its client gone. Throws UserError BUSY. */
  takeFor(user: string, response: ServerResponse): void {
    const share = this.take(user);
    const give = () => share[Symbol.dispose]();
    if (response.closed) give();
    else response.once('close', give);
  }

  /** Takes one more until it is disposed of. Throws UserError BUSY. */
  take(user: string): Disposable {
    const taken = this.#taken.get(user) ?? 0;
    if (taken >= this.#each) {
      throw new UserError(
        'BUSY',
        `You have ${taken} ${this.#what} open on the server already, and may have no more.`,
        `End some of them first; \`${this.#what}-per-user\` in server.conf tells how many may be.`,
      );
    }
    this.#taken.set(user, taken + 1);
    let given = false;
    return {
      [Symbol.dispose]: () => {
        if (given) return;
        given = true;
        const left = (this.#taken.get(user) ?? 1) - 1;
        if (left === 0) this.#taken.delete(user);
        else this.#taken.set(user, left);
      },
    };
  }
}
