import type { NodeRow } from '../store.ts';
import type { PowerActs, PowerSource } from './source.ts';

/** The power of all nodes, whoever has it. */
export class Power {
  readonly #sources: readonly PowerSource[];

  constructor(sources: readonly PowerSource[]) {
    this.#sources = sources;
  }

  /** What can be done to a node's power: nothing, where nobody has it. */
  acts(node: NodeRow): PowerActs {
    return { reset: this.#sourceOf(node)?.reset !== undefined };
  }

  /** Cuts a node's power and gives it back. Only where `acts` says that somebody can. */
  async reset(node: NodeRow): Promise<void> {
    const source = this.#sourceOf(node);
    if (!source?.reset) throw new TypeError(`nobody can reset node ${node.id}`);
    await source.reset(node);
  }

  /** Tells one time with power from the next; null where nobody can tell, and while there is none. */
  async cycle(node: NodeRow): Promise<string | null> {
    return (await this.#sourceOf(node)?.cycle?.(node)) ?? null;
  }

  #sourceOf(node: NodeRow): PowerSource | undefined {
    return this.#sources.find((source) => source.has(node));
  }
}
