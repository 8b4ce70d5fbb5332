import { isUserError, KeyedTurns, type Log, UserError } from '../../platform/index.ts';
import type { NodeRow } from '../store.ts';
import type { Power } from './power.ts';
import type { PowerState } from './source.ts';

/** Other machines that are asked to do something, or for their state, at the same time, at most. */
const PARALLEL = 8;
/** Milliseconds for which a state is believed, and for which one that could not be told is not asked for again: who asks a BMC with a
 *  wrong password too often is locked out. */
const FRESH = 30_000;
const FAILED = 300_000;

interface Known {
  /** The setting that it was asked by. */
  source: string | undefined;
  /** Unix milliseconds. */
  at: number;
  state: PowerState | null;
  failure: UserError | undefined;
}

interface Deps {
  power: Pick<Power, 'reset' | 'on' | 'state' | 'isRemote' | 'requireKnown'>;
  log: Log;
}

/** What other machines are asked to do to nodes' power, and what they answered. Nobody has to wait for them. */
export class PowerErrands {
  readonly #deps: Deps;
  readonly #acts = new Map<number, Promise<void>>();
  readonly #looks = new Map<number, Promise<void>>();
  readonly #known = new Map<number, Known>();
  /** Looks at what does not answer keep no act waiting. */
  readonly #turns = new KeyedTurns(PARALLEL);

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Ends when it is done, or, where another machine does it, when that has been begun: `done` tells what became of it. */
  async carryOut(node: NodeRow, act: 'reset' | 'on'): Promise<void> {
    if (!this.#deps.power.isRemote(node)) return await this.#deps.power[act](node);
    // One is enough: what was asked for just now has not begun to boot.
    if (this.#acts.has(node.id)) return;
    const acting = this.#turns
      .take('act', () => this.#deps.power[act](node))
      .then(
        () => void this.#known.delete(node.id),
        (error: unknown) => {
          const failure = asUserError(error);
          this.#note(node, null, failure);
          throw failure;
        },
      );
    const ended = acting.finally(() => this.#acts.delete(node.id));
    // Who does not wait for it finds it in `failure`.
    ended.catch(() => {});
    this.#acts.set(node.id, ended);
  }

  /** Waits for what has been begun for these nodes. Throws the first failure. */
  async done(ids: readonly number[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#acts.get(id)));
  }

  /** Asks for the state of these nodes where it is not known, and waits for the answers, up to so many milliseconds. */
  async look(nodes: readonly NodeRow[], patience: number): Promise<void> {
    const looks = Promise.all(nodes.map((node) => this.#look(node)));
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    await Promise.race([looks, limit]).finally(() => clearTimeout(timer));
  }

  /** As last told; null: it was not, or lately. */
  state(node: NodeRow): PowerState | null {
    const known = this.#of(node);
    return known && Date.now() - known.at <= FRESH ? known.state : null;
  }

  /** What was wrong the last time that somebody was asked about this node. */
  failure(node: NodeRow): UserError | undefined {
    return this.#of(node)?.failure;
  }

  forget(ids: readonly number[]): void {
    for (const id of ids) this.#known.delete(id);
  }

  async #look(node: NodeRow): Promise<void> {
    const known = this.#of(node);
    if (known && Date.now() - known.at <= (known.failure ? FAILED : FRESH)) return;
    const running = this.#looks.get(node.id) ?? this.#ask(node).finally(() => this.#looks.delete(node.id));
    this.#looks.set(node.id, running);
    await running;
  }

  async #ask(node: NodeRow): Promise<void> {
    try {
      const { power } = this.#deps;
      power.requireKnown(node);
      const state = power.isRemote(node)
        ? await this.#turns.take('look', () => power.state(node))
        : await power.state(node);
      // Who cannot tell a state has not told that all is well.
      this.#note(node, state, state === null ? this.failure(node) : undefined);
    } catch (error) {
      this.#note(node, null, asUserError(error));
    }
  }

  #note(node: NodeRow, state: PowerState | null, failure: UserError | undefined): void {
    const before = this.failure(node)?.message;
    this.#known.set(node.id, { source: node.settings.power, at: Date.now(), state, failure });
    if (failure && failure.message !== before)
      this.#deps.log.warn('power failed', { node: node.id, error: failure.message });
  }

  #of({ id, settings }: NodeRow): Known | undefined {
    const known = this.#known.get(id);
    return known?.source === settings.power ? known : undefined;
  }
}

function asUserError(error: unknown): UserError {
  if (isUserError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new UserError('EXTERNAL', message, 'The server’s journal tells more: walt-server journal');
}
