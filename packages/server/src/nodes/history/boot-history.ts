import { EventEmitter } from 'node:events';
import type { BootCause, BootFailure } from '@walt/contract';
import { createLog, type Database, type GroupedWrites } from '../../platform/index.ts';
import type { NodeTables } from '../tables.ts';
import { type BootRow, type Times, withTimes } from './boot-row.ts';
import { beginBoot, bootsOf, expectBoots, leaveToFirmware, newestOf, writeBoot } from './boots-table.ts';

/** Digests of what a boot has loaded beside its image. */
export type Ran = Partial<Record<'kernel' | 'initramfs' | 'platform', string>>;

/** What was seen of a node's boot and is not written yet. */
interface Seen {
  /** Since its order, for the boot that has not begun. */
  ordered: Times;
  /** Of the boot that was served. */
  served: Times;
  ran: Ran;
  failure?: BootFailure;
  /** Of the boot that counts, be it served or not. */
  end?: BootFailure;
}

/** Milliseconds until what was seen is written: a commit waits for the disk, and a hundred nodes that boot at once take a thousand steps. */
const WRITE_DELAY = 1_000;
/** Machines whose last request to DHCP is remembered. */
const MAX_REQUESTS = 8192;

const log = createLog('nodes');

/**
 * The boots of all nodes. What decides what a node boots is written with it, in one transaction; what was only seen, such as a file
 * that was loaded, follows within a second: a server that dies may lose that. Emits `change` when a boot has failed.
 */
export class BootHistory extends EventEmitter<{ change: [] }> {
  readonly #database: Database<NodeTables>;
  readonly #grouped: GroupedWrites<NodeTables>;
  /** Of boots since this server started; `seconds`: how long those took that came up, from their order on. */
  readonly figures = { booted: 0, failed: 0, seconds: 0 };
  readonly #seen = new Map<number, Seen>();
  /** By node, Unix times in seconds of the last step that its boot has done, as long as it is not up. */
  readonly #lastSteps = new Map<number, number>();
  /** By hardware address, Unix times in seconds. */
  readonly #requests = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(database: Database<NodeTables>, grouped: GroupedWrites<NodeTables>) {
    super();
    this.#database = database;
    this.#grouped = grouped;
  }

  /** A machine asked for an address, node or not. */
  heard(mac: string): void {
    this.#requests.delete(mac);
    this.#requests.set(mac, unixTime());
    if (this.#requests.size > MAX_REQUESTS) this.#requests.delete(this.#requests.keys().next().value ?? '');
  }

  /** A step of the boot that was served last, now or at `at`. */
  reached(node: number, times: Times, ran: Ran = {}): void {
    const { booted, left, ...steps } = times;
    if (booted !== undefined) this.#lastSteps.delete(node);
    else if (left === undefined)
      this.#lastSteps.set(node, Math.max(this.#lastSteps.get(node) ?? 0, ...Object.values(steps)));
    const seen = this.#of(node);
    seen.served = withTimes(seen.served, times);
    seen.ran = { ...seen.ran, ...ran };
  }

  /** Unix times in seconds when boots that are not up have done their last step, by node; it may be one of the boot before. */
  get lastSteps(): ReadonlyMap<number, number> {
    return this.#lastSteps;
  }

  /** The node was told to begin the boot that it has not begun yet. */
  restarted(node: number): void {
    const seen = this.#of(node);
    seen.ordered = withTimes(seen.ordered, { restart: unixTime() });
  }

  /** The boot that was served last could not go on. */
  failed(node: number, failure: BootFailure): void {
    this.#of(node).failure = failure;
    this.figures.failed += 1;
    this.emit('change');
  }

  /** What the node should boot does not come up, and nothing more is tried. */
  gaveUp(node: number, failure: BootFailure): void {
    this.#of(node).end = failure;
    this.emit('change');
  }

  /** In a transaction that orders boots, once the nodes' rows say what they are to boot. */
  async expect(
    transaction: Database<NodeTables>,
    ids: readonly number[],
    order: { cause: BootCause; user: string | null },
  ): Promise<void> {
    await this.#settle(transaction);
    await expectBoots(transaction, ids, { ...order, began: unixTime() });
  }

  /** What the server does by itself is the cause of the next boot, unless somebody has ordered that already. */
  async expectUnlessOrdered(node: number, cause: BootCause): Promise<void> {
    await this.#grouped(async (transaction) => {
      const known = await newestOf(transaction, [node]);
      if (!known.get(node)?.ordered) await this.expect(transaction, [node], { cause, user: null });
    });
  }

  /** In the transaction that notes what a node is given to boot. */
  async begin(
    transaction: Database<NodeTables>,
    { mac, ...served }: { node: number; mac: string; generation: number; image: string; digest: string },
    way: 'firmware' | 'kexec' = 'firmware',
  ): Promise<void> {
    await this.#settle(transaction);
    const now = unixTime();
    const dhcp = this.#requests.get(mac);
    const asked = way === 'kexec' ? { kexec: now } : { asked: now, ...(dhcp !== undefined && { dhcp }) };
    await beginBoot(transaction, served, asked, now);
  }

  /** What was ordered does not begin by kexec, though that was tried. */
  async withoutKexec(node: number, reason: string): Promise<void> {
    await this.#database.transaction().execute(async (transaction) => {
      await this.#settle(transaction);
      await leaveToFirmware(transaction, node, reason);
    });
  }

  /** In the transaction that notes that a node is up. */
  async booted(transaction: Database<NodeTables>, node: number): Promise<void> {
    const now = unixTime();
    this.reached(node, { booted: now });
    await this.#settle(transaction);
    const began = (await newestOf(transaction, [node])).get(node)?.served?.began ?? now;
    this.figures.booted += 1;
    this.figures.seconds += Math.max(now - began, 0);
  }

  /** The boot of each of these nodes that counts: the one that was ordered, else the last one that was served. */
  async current(ids: readonly number[]): Promise<Map<number, BootRow>> {
    if (ids.length === 0) return new Map();
    await this.write();
    const newest = await newestOf(this.#database, ids);
    return new Map(
      [...newest].flatMap(([id, { ordered, served }]): [number, BootRow][] => {
        const row = ordered ?? served;
        return row ? [[id, row]] : [];
      }),
    );
  }

  /** Newest first. */
  async of(node: number, count: number): Promise<BootRow[]> {
    await this.write();
    return bootsOf(this.#database, node, count);
  }

  /** Writes what was seen until now. */
  async write(): Promise<void> {
    if (this.#seen.size === 0) return;
    await this.#database.transaction().execute((transaction) => this.#settle(transaction));
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.write();
  }

  #of(node: number): Seen {
    const known = this.#seen.get(node);
    if (known) return known;
    const seen: Seen = { ordered: {}, served: {}, ran: {} };
    this.#seen.set(node, seen);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.write().catch((error) => log.warn('cannot note how nodes boot', { error: String(error) }));
    }, WRITE_DELAY).unref();
    return seen;
  }

  /** What was seen belongs to the boots that were there before this transaction changes them. */
  async #settle(transaction: Database<NodeTables>): Promise<void> {
    const all = new Map(this.#seen);
    this.#seen.clear();
    if (all.size === 0) return;
    for (const [id, { ordered, served }] of await newestOf(transaction, [...all.keys()])) {
      const seen = all.get(id);
      if (seen && ordered) await writeBoot(transaction, afterOrder(ordered, seen));
      if (seen && served) await writeBoot(transaction, afterServing(served, seen, !ordered));
    }
  }
}

/** Pure. A boot that has not begun. */
function afterOrder(row: BootRow, { ordered, end }: Seen): BootRow {
  return { ...row, times: withTimes(row.times, ordered), failure: end ?? row.failure };
}

/** Pure. A boot that was served: one that is up takes no more steps, and has not failed. */
function afterServing(row: BootRow, { served, ran, failure, end }: Seen, counts: boolean): BootRow {
  const { left } = served;
  if (row.times.booted !== undefined)
    return left === undefined ? row : { ...row, times: withTimes(row.times, { left }) };
  const ended = (counts ? end : undefined) ?? failure ?? row.failure;
  return { ...row, ...ran, times: withTimes(row.times, served), failure: ended };
}

function unixTime(): number {
  return Date.now() / 1000;
}
