/** Keys of which something is kept, and how much of each. */
const MAX_KEYS = 4096;
const MAX_EACH = 16;

/** What was heard of many, until it is noted: bounded, whoever says how much. */
export class Heard<Thing> {
  readonly #things = new Map<string, Thing[]>();

  /** Of one key, the first things stay: those that follow in the same moment say the same. */
  keep(key: string, thing: Thing): void {
    const things = this.#things.get(key);
    if (things && things.length < MAX_EACH) things.push(thing);
    if (!things && this.#things.size < MAX_KEYS) this.#things.set(key, [thing]);
  }

  drop(key: string): void {
    this.#things.delete(key);
  }

  /** All that was kept; nothing is, then. */
  take(): [key: string, things: Thing[]][] {
    const all = [...this.#things];
    this.#things.clear();
    return all;
  }
}
