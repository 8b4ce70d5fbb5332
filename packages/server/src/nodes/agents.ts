import { EventEmitter } from 'node:events';
import type { NodeRoom } from '../boot/index.ts';
import { lowOn } from './room.ts';

/** Milliseconds that a poll stays open: an agent that is silent for longer than this and a little is gone. */
const POLL_LIMIT = 20_000;
/** The same where memory runs out: what an agent tells it tells when it asks. */
const LOW_POLL_LIMIT = 3_000;

/** Seconds without a question after which the next one is news. */
const SILENCE = 5;

interface Connection {
  /** Unix time in seconds, with fractions: when it asked. */
  since: number;
  answer(order: 'reboot' | 'stay'): void;
}

/**
 * The agents that hold a connection now. An agent asks again as soon as it is answered, so the connection is where
 * orders go out, and its end is how a node's death is noticed. Emits `change` when an agent comes or goes: one that asks
 * again and again is no news.
 */
export class Agents extends EventEmitter<{ change: [] }> {
  readonly #connections = new Map<number, Connection>();
  readonly #lastHeard = new Map<number, number>();
  readonly #rooms = new Map<number, NodeRoom>();
  /** Nodes of which it was told that their agent had gone. */
  readonly #gone = new Set<number>();

  /** Holds the agent's question until there is an order for it, it hangs up, or time is up. `room` is what it told. */
  poll(id: number, signal: AbortSignal, room?: NodeRoom): Promise<'reboot' | 'stay'> {
    if (room) this.#rooms.set(id, room);
    else this.#rooms.delete(id);
    const now = Date.now() / 1000;
    const isBack = this.#gone.delete(id);
    const isNews = isBack || (!this.#connections.has(id) && now - (this.#lastHeard.get(id) ?? 0) > SILENCE);
    this.#connections.get(id)?.answer('stay');
    const { promise, resolve } = Promise.withResolvers<'reboot' | 'stay'>();
    const connection = { since: now, answer: resolve };
    this.#connections.set(id, connection);
    const timer = setTimeout(resolve, room && lowOn(room) ? LOW_POLL_LIMIT : POLL_LIMIT, 'stay');
    const hangUp = () => resolve('stay');
    signal.addEventListener('abort', hangUp, { once: true });
    if (signal.aborted) hangUp();
    if (isNews) this.emit('change');
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', hangUp);
      this.#lastHeard.set(id, Date.now() / 1000);
      if (this.#connections.get(id) !== connection) return;
      this.#connections.delete(id);
      if (!signal.aborted) return;
      this.#gone.add(id);
      this.emit('change');
    });
  }

  /** Tells a connected agent to reboot its node. False when it is not connected any more. */
  orderReboot(id: number): boolean {
    const connection = this.#connections.get(id);
    connection?.answer('reboot');
    return connection !== undefined;
  }

  /** Unix times in seconds since which each connected agent waits for an order. */
  connected(): Map<number, number> {
    return new Map([...this.#connections].map(([id, { since }]) => [id, since]));
  }

  /** Unix times in seconds when each agent's last question ended. */
  heard(): ReadonlyMap<number, number> {
    return this.#lastHeard;
  }

  /** What a node told last; undefined: it does not tell, or has not booted. */
  room(id: number): NodeRoom | undefined {
    return this.#rooms.get(id);
  }

  isConnected(id: number): boolean {
    return this.#connections.has(id);
  }

  /** Unix time in seconds; undefined if never. */
  lastHeard(id: number): number | undefined {
    return this.#lastHeard.get(id);
  }

  /** Answers everybody, so that a server that stops keeps nobody waiting. */
  close(): void {
    for (const connection of this.#connections.values()) connection.answer('stay');
  }
}
