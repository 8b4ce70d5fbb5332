/** Something to do with one node, or one other thing. */
export interface Errand<Result> {
  /** What it is done with: nothing else is done with that meanwhile. */
  key: string;
  /** Never rejects. */
  run(): Promise<readonly Result[]>;
}

/** Errands that were planned together. */
interface Batch<Result> {
  /** Last first. */
  waiting: Errand<Result>[];
  underWay: number;
  results: Result[];
  /** The one that took its place while something waited. */
  next?: Batch<Result>;
  ended: PromiseWithResolvers<readonly Result[]>;
}

/**
 * Does errands, so many at a time, by the newest plan: what an earlier one wanted and has not begun is dropped, since the newest has
 * it again where it is still to be done.
 */
export class Lanes<Result> {
  readonly #width: number;
  readonly #underWay = new Map<string, Promise<void>>();
  #batch: Batch<Result> = newBatch([]);

  constructor(width: number) {
    this.#width = width;
  }

  /** By key. */
  get underWay(): ReadonlyMap<string, Promise<void>> {
    return this.#underWay;
  }

  /**
   * Resolves when these are done, to what came of them; where a newer plan takes their place, that plan's are among them. No two have
   * the same key, nor one that is under way.
   */
  plan(errands: readonly Errand<Result>[]): Promise<readonly Result[]> {
    const before = this.#batch;
    this.#batch = newBatch(errands);
    if (before.waiting.length > 0) before.next = this.#batch;
    before.waiting = [];
    endIfDone(before);
    this.#fill();
    return this.#batch.ended.promise;
  }

  /** Drops what has not begun, and resolves when the rest is done. */
  async stop(): Promise<void> {
    void this.plan([]);
    await Promise.all(this.#underWay.values());
  }

  #fill(): void {
    const batch = this.#batch;
    while (this.#underWay.size < this.#width) {
      const errand = batch.waiting.pop();
      if (!errand) break;
      batch.underWay += 1;
      this.#underWay.set(errand.key, this.#run(errand, batch));
    }
    endIfDone(batch);
  }

  async #run({ key, run }: Errand<Result>, batch: Batch<Result>): Promise<void> {
    batch.results.push(...(await run()));
    this.#underWay.delete(key);
    batch.underWay -= 1;
    endIfDone(batch);
    this.#fill();
  }
}

function newBatch<Result>(errands: readonly Errand<Result>[]): Batch<Result> {
  return { waiting: errands.toReversed(), underWay: 0, results: [], ended: Promise.withResolvers() };
}

function endIfDone<Result>({ waiting, underWay, results, next, ended }: Batch<Result>): void {
  if (waiting.length > 0 || underWay > 0) return;
  ended.resolve(next ? next.ended.promise.then((more) => [...results, ...more]) : results);
}
