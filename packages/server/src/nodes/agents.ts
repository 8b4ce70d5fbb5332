import { randomInt } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { NodeRoom } from '../boot/index.ts';
import { lowOn } from './room.ts';

/** Milliseconds that a poll stays open, at most: agents wait for 60 seconds, those of the first version too. */
const POLL_LIMIT = 50_000;
/** Seconds by which some stay open less: thousands that asked at once, as when a server is back, do not do so for ever. */
const SPREAD = 10;
/** Milliseconds: questions end together at each second, since what is done for many in one turn costs much less than one by one. */
const BEAT = 1_000;
/** The same where memory runs out: what an agent tells it tells when it asks. */
const LOW_POLL_LIMIT = 3_000;

/** Seconds without a question after which the next one is news. */
const SILENCE = 5;

type Answer = (order: 'reboot' | 'stay') => void;

/**
 * The agents that hold a connection now. An agent asks again as soon as it is answered, so the connection is where
 * orders go out, and its end is how a node's death is noticed: the kernel probes connections (`HttpListener`). Emits
 * `change` when an agent comes or goes: one that asks again and again is no news.
 */
export class Agents extends EventEmitter<{ change: [] }> {
  readonly #connections = new Map<number, Answer>();
  /** Unix times in seconds, with fractions: when they asked. */
  readonly #since = new Map<number, number>();
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
    this.#connections.get(id)?.('stay');
    const { promise, resolve } = Promise.withResolvers<'reboot' | 'stay'>();
    this.#connections.set(id, resolve);
    this.#since.set(id, now);
    const limit = room && lowOn(room) ? LOW_POLL_LIMIT : POLL_LIMIT - randomInt(SPREAD) * 1000;
    const beyond = (Date.now() + limit) % BEAT;
    const timer = setTimeout(resolve, limit - beyond, 'stay');
    const hangUp = () => resolve('stay');
    signal.addEventListener('abort', hangUp, { once: true });
    if (signal.aborted) hangUp();
    if (isNews) this.emit('change');
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', hangUp);
      this.#lastHeard.set(id, Date.now() / 1000);
      if (this.#connections.get(id) !== resolve) return;
      this.#connections.delete(id);
      this.#since.delete(id);
      if (!signal.aborted) return;
      this.#gone.add(id);
      this.emit('change');
    });
  }

  /** Tells a connected agent to reboot its node. False when it is not connected any more. */
  orderReboot(id: number): boolean {
    const answer = this.#connections.get(id);
    answer?.('reboot');
    return answer !== undefined;
  }

  /** Unix times in seconds since which each connected agent waits for an order. */
  connected(): ReadonlyMap<number, number> {
    return this.#since;
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
    for (const answer of this.#connections.values()) answer('stay');
  }
}
