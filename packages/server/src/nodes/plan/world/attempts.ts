import type { Attempt } from '../boots.ts';

/** What was done lately to bring nodes to a generation, by node id. */
export class Attempts {
  readonly #last = new Map<number, Attempt>();

  all(): ReadonlyMap<number, Attempt> {
    return this.#last;
  }

  note(id: number, generation: number, how: Attempt['how']): void {
    const last = this.#last.get(id);
    const before = last?.generation === generation ? last : undefined;
    const at = Date.now() / 1000;
    this.#last.set(id, {
      ...{ generation, how, at },
      since: before?.how === how ? before.since : at,
      switched: (before?.switched ?? 0) + (how === 'power' ? 1 : 0),
    });
  }

  forget(id: number): void {
    this.#last.delete(id);
  }
}
