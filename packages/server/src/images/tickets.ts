import { randomBytes } from 'node:crypto';
import { UserError } from '../platform/index.ts';

/** Milliseconds between preparing something and doing it. */
const LIFE = 60_000;
/** Tickets of a user that wait; each holds what was prepared. The oldest goes first. */
const MAX_OF_USER = 16;

interface Ticket<T> {
  user: string;
  prepared: T;
  /** Unix time in milliseconds. */
  until: number;
}

/** What users have prepared, each thing for one use, within a minute, by the same user. */
export class Tickets<T> {
  /** Oldest first. */
  readonly #tickets = new Map<string, Ticket<T>>();

  issue(user: string, prepared: T): string {
    this.#forgetOld();
    const own = [...this.#tickets].filter(([, ticket]) => ticket.user === user);
    const [oldest] = own;
    if (oldest && own.length >= MAX_OF_USER) this.#tickets.delete(oldest[0]);
    const id = randomBytes(16).toString('hex');
    this.#tickets.set(id, { user, prepared, until: Date.now() + LIFE });
    return id;
  }

  /** Throws UserError NOT_FOUND for a ticket that is unknown, used, old or another user's. */
  take(user: string, id: string): T {
    this.#forgetOld();
    const found = this.#tickets.get(id);
    if (found?.user !== user) {
      throw new UserError('NOT_FOUND', 'This build is not prepared any more.', 'Repeat the command.');
    }
    this.#tickets.delete(id);
    return found.prepared;
  }

  #forgetOld(): void {
    for (const [id, { until }] of this.#tickets) if (until < Date.now()) this.#tickets.delete(id);
  }
}
