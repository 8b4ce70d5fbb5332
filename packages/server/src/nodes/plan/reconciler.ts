import type { Log } from '../../platform/index.ts';
import type { BootTrouble } from './boots.ts';
import { type Desired, nodeOf, type Observed, plan, type Step, troubles } from './plan.ts';

/** Steps that are taken at the same time, at most: a start of a hundred machines must not smother the server. */
const PARALLEL = 8;
/** Milliseconds between looks at the world when nothing asks for one: for what only time brings (boot timeouts). */
const INTERVAL = 5_000;

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

/** Makes the world match the database: one pass at a time, again whenever somebody asks, and every few seconds. */
export class Reconciler {
  readonly #deps: Deps;
  #running: Promise<Failure[]> | undefined;
  #next: Promise<Failure[]> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #troubles: ReadonlyMap<number, BootTrouble> = new Map();
  /** What failed in the last pass, and how: the same is not told every few seconds. */
  #failed: ReadonlyMap<string, string> = new Map();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Nodes that the last pass could bring no further, by id. */
  get troubles(): ReadonlyMap<number, BootTrouble> {
    return this.#troubles;
  }

  start(): void {
    this.#timer = setInterval(() => void this.reconcile(), INTERVAL);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await (this.#next ?? this.#running);
  }

  /** Ends after a pass that began after this call; answers what failed in it (it was logged). */
  reconcile(): Promise<Failure[]> {
    if (!this.#running) return this.#begin();
    this.#next ??= this.#running.then(() => this.#begin());
    return this.#next;
  }

  #begin(): Promise<Failure[]> {
    this.#next = undefined;
    this.#running = this.#pass().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #pass(): Promise<Failure[]> {
    const { desired, observe, log } = this.#deps;
    try {
      const [wanted, seen, now] = [await desired(), await observe(), Date.now() / 1000];
      const steps = plan(wanted, seen, now);
      this.#note(troubles(wanted, seen, now));
      const ordered = steps.filter((step) => step.kind === 'setHosts' || step.kind === 'setExports');
      const free = steps.filter((step) => !ordered.some((other) => other === step));
      const failures: Failure[] = [];
      for (const step of ordered) await this.#take(step, failures);
      const queue = free.values();
      const workers = Array.from({ length: PARALLEL }, async () => {
        for (const step of queue) await this.#take(step, failures);
      });
      await Promise.all(workers);
      this.#failed = new Map(failures.map(({ step, error }) => [keyOf(step), String(error)]));
      return failures;
    } catch (error) {
      log.error('cannot compare the world with what it should be', { error: String(error) });
      return [{ step: undefined, error }];
    }
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
    try {
      await carryOut(step);
      log.info('step taken', describe(step));
    } catch (error) {
      failures.push({ step, error });
      if (this.#failed.get(keyOf(step)) === String(error)) return;
      log.error('step failed, will be tried again', { ...describe(step), error: String(error) });
    }
  }
}

function keyOf(step: Step | undefined): string {
  return JSON.stringify(step && describe(step));
}

function describe(step: Step) {
  const node = nodeOf(step);
  return node === undefined ? { kind: step.kind } : { kind: step.kind, node };
}
