import type { NamedImage } from '@walt/contract';
import type { SentChanges } from '../../images/index.ts';
import { type Log, UserError } from '../../platform/index.ts';

/** What is saved when its user says so. */
export interface Held {
  user: string;
  node: string;
  target: NamedImage;
  /** What the node boots. */
  from: NamedImage;
  /** What that name must still point to. */
  expected: { digest: string } | 'absent';
  changes: SentChanges;
}

/** Milliseconds for which changes wait for their user's word. */
const LIFE = 600_000;
/** Of each user; the oldest goes first. Several commands at a time are usual. */
const MAX_OF_USER = 16;

/** Changes that were sent, by the id of the job that took them. */
export class HeldChanges {
  /** Oldest first. */
  readonly #held = new Map<string, Held & { timer: NodeJS.Timeout }>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  async put(id: string, held: Held): Promise<void> {
    const timer = setTimeout(() => void this.#drop(id), LIFE).unref();
    this.#held.set(id, { ...held, timer });
    const own = [...this.#held].filter(([, { user }]) => user === held.user);
    for (const [old] of own.slice(0, -MAX_OF_USER)) await this.#drop(old);
  }

  /** Throws UserError NOT_FOUND unless it is there for that user. */
  require(id: string, user: string): Held & { timer: NodeJS.Timeout } {
    const found = this.#held.get(id);
    if (found?.user !== user) {
      throw new UserError('NOT_FOUND', 'What was to be saved is not there any more.', 'Repeat the command.');
    }
    return found;
  }

  /** The caller's own from now on, to be disposed. Throws as `require`. */
  take(id: string, user: string): Held {
    const found = this.require(id, user);
    this.#held.delete(id);
    clearTimeout(found.timer);
    return found;
  }

  async close(): Promise<void> {
    for (const id of [...this.#held.keys()]) await this.#drop(id);
  }

  async #drop(id: string): Promise<void> {
    const found = this.#held.get(id);
    this.#held.delete(id);
    clearTimeout(found?.timer);
    try {
      await found?.changes[Symbol.asyncDispose]();
    } catch (error) {
      this.#log.warn('cannot remove what a node sent', { node: found?.node, reason: String(error) });
    }
  }
}
