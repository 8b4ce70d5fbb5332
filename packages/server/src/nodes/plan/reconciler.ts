import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../platform/index.ts';
import type { BootTrouble } from './boots.ts';
import { type Errand, Lanes } from './lanes.ts';
import { type Desired, nodeOf, type Observed, plan, type Step, troubles } from './plan.ts';

/** Nodes of which steps are taken at the same time, at most: a start of a hundred machines must not smother the server. */
const PARALLEL = 8;
/** Milliseconds between looks at the world when nothing asks for one: for what only time brings (boot timeouts). */
const INTERVAL = 5_000;
/**
 * After a comparison, the next one waits so many times the CPU time that it took, and so many milliseconds at most, however many ask for
 * it: a large platform needs its time for its nodes.
 */
const REST = 4;
const MAX_REST = 2_000;

export interface Failure {
  /** Undefined: what should be, or what is, could not be told, so nothing was done. */
  step: Step | undefined;
  error: unknown;
}

/** For the journal. */
const TROUBLES: Record<BootTrouble, string> = {
  deaf: 'node does not hear its order to boot, and nobody has its power',
  unknown: 'settings of a node are not known to this server: its machine is left as it is',
  stuck: 'node has not come up, and nothing more is tried',
};

interface Deps {
  desired(): Promise<Desired>;
  observe(): Promise<Observed>;
  carryOut(step: Step): Promise<void>;
  /** Told once, when a pass finds out that no step brings a node further. */
  noteTrouble(node: number, trouble: BootTrouble): void;
  log: Log;
}

/** A comparison of what should be with what is. */
interface Pass {
  /** What failed of what all nodes share, which is done, or undefined: the comparison itself. */
  prepared: readonly Failure[];
  /** Resolves to what failed of the rest, once it is done. */
  ended: Promise<readonly Failure[]>;
}

/**
 * Makes the world match the database: one pass at a time, again whenever somebody asks, and every few seconds. What all nodes share,
 * addresses and exports, is brought up to date within a pass; steps of single nodes are taken beside later ones.
 */
export class Reconciler {
  readonly #deps: Deps;
  readonly #lanes = new Lanes<Failure>(PARALLEL);
  #running: Promise<Pass> | undefined;
  #next: Promise<Pass> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #stopping = new AbortController();
  /** When the next comparison may begin. */
  #rested = 0;
  #troubles: ReadonlyMap<number, BootTrouble> = new Map();
  /** What failed when it was tried last, and how: the same is not told every few seconds. */
  readonly #failed = new Map<string, string>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Nodes that the last pass could bring no further, by id. */
  get troubles(): ReadonlyMap<number, BootTrouble> {
    return this.#troubles;
  }

  /** Resolves when addresses and exports are as they should be: nobody who comes then waits for the machines of thousands of nodes. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.prepare(), INTERVAL);
    await this.prepare();
  }

  /** What has begun is done when it resolves, and who waits for a comparison has it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    await (this.#next ?? this.#running);
    await this.#lanes.stop();
  }

  /** Ends when all is done that a pass wants which began after this call; answers what failed of it (it was logged). */
  async reconcile(): Promise<readonly Failure[]> {
    const { prepared, ended } = await this.#pass();
    return [...prepared, ...(await ended)];
  }

  /** Ends when addresses and exports are as a pass wants them which began after this call, whatever machines are being started. */
  async prepare(): Promise<readonly Failure[]> {
    return (await this.#pass()).prepared;
  }

  /** One that begins after this call. */
  #pass(): Promise<Pass> {
    this.#next ??= this.#begin();
    return this.#next;
  }

  async #begin(): Promise<Pass> {
    await this.#running;
    await this.#rest(this.#rested - performance.now());
    this.#next = undefined;
    this.#running = this.#compare();
    return await this.#running;
  }

  /** A server that stops has all the time of its processor. */
  async #rest(milliseconds: number): Promise<void> {
    const { signal } = this.#stopping;
    if (milliseconds <= 0 || signal.aborted) return;
    // It fails by that signal alone.
    await delay(milliseconds, undefined, { signal }).catch(() => {});
  }

  async #compare(): Promise<Pass> {
    const { desired, observe, log } = this.#deps;
    try {
      const before = process.cpuUsage();
      // What is under way with these is not in what is seen: they wait for the next comparison.
      const busy = new Map(this.#lanes.underWay);
      const [wanted, seen, now] = [await desired(), await observe(), Date.now() / 1000];
      const steps = plan(wanted, seen, now);
      this.#note(troubles(wanted, seen, now));
      const { user, system } = process.cpuUsage(before);
      this.#forgetFailures(steps);
      const isShared = ({ kind }: Step) => kind === 'setHosts' || kind === 'setExports';
      const prepared: Failure[] = [];
      for (const step of steps.filter(isShared)) await this.#take(step, prepared);
      this.#rested = performance.now() + Math.min((REST * (user + system)) / 1000, MAX_REST);
      const own = steps.filter((step) => !isShared(step));
      return { prepared, ended: this.#carryOut(own, busy) };
    } catch (error) {
      log.error('cannot compare the world with what it should be', { error: String(error) });
      return { prepared: [{ step: undefined, error }], ended: Promise.resolve([]) };
    }
  }

  async #carryOut(steps: readonly Step[], busy: Map<string, Promise<void>>): Promise<readonly Failure[]> {
    for (const [key, end] of this.#lanes.underWay) busy.set(key, end);
    const groups = [...Map.groupBy(steps, placeOf)];
    const later = groups.flatMap(([key]) => busy.get(key) ?? []);
    const errands = groups.flatMap(([key, group]): Errand<Failure>[] => {
      const run = async () => {
        const failures: Failure[] = [];
        for (const step of group) await this.#take(step, failures);
        return failures;
      };
      return busy.has(key) ? [] : [{ key, run }];
    });
    const failures = await this.#lanes.plan(errands);
    if (later.length === 0 || this.#stopping.signal.aborted) return failures;
    await Promise.all(later);
    return [...failures, ...(await this.reconcile())];
  }

  /** Of what is not tried any more: if it fails another time, that is news. */
  #forgetFailures(steps: readonly Step[]): void {
    if (this.#failed.size === 0) return;
    const planned = new Set(steps.map(keyOf));
    for (const key of this.#failed.keys()) if (!planned.has(key)) this.#failed.delete(key);
  }

  #note(found: ReadonlyMap<number, BootTrouble>): void {
    for (const [node, trouble] of found) {
      if (this.#troubles.get(node) === trouble) continue;
      this.#deps.log.warn(TROUBLES[trouble], { node });
      this.#deps.noteTrouble(node, trouble);
    }
    this.#troubles = found;
  }

  async #take(step: Step, failures: Failure[]): Promise<void> {
    const { carryOut, log } = this.#deps;
    const key = keyOf(step);
    try {
      await carryOut(step);
      this.#failed.delete(key);
      log.info('step taken', describe(step));
    } catch (error) {
      failures.push({ step, error });
      if (this.#failed.get(key) === String(error)) return;
      this.#failed.set(key, String(error));
      log.error('step failed, will be tried again', { ...describe(step), error: String(error) });
    }
  }
}

function keyOf(step: Step): string {
  return JSON.stringify(describe(step));
}

/** Steps of one place are taken one after the other. */
function placeOf(step: Step): string {
  return String(nodeOf(step) ?? step.kind);
}

function describe(step: Step) {
  const node = nodeOf(step);
  return node === undefined ? { kind: step.kind } : { kind: step.kind, node };
}
