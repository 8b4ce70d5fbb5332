import type { Duplex } from 'node:stream';
import { NO_VALUE, type NodePower } from '@walt/contract';
import type { NodeRow } from '../store.ts';
import { type PowerActs, type PowerSource, type PowerState, powerFailure, powerOf } from './source.ts';

/** The power of all nodes, whoever has it. */
export class Power {
  readonly #sources: readonly PowerSource[];

  constructor(sources: readonly PowerSource[]) {
    this.#sources = sources;
  }

  /** What can be done to a node's power: nothing, where nobody has it. */
  acts(node: NodeRow): PowerActs {
    const source = this.#sourceOf(node);
    return { reset: canReset(source), on: source?.on !== undefined };
  }

  /** Cuts a node's power and gives it back. Only where `acts` says that somebody can. Throws UserError. */
  async reset(node: NodeRow): Promise<void> {
    const { reset, off, on } = this.#sourceOf(node) ?? {};
    if (reset) return await reset(node);
    if (!off || !on) throw new TypeError(`nobody can reset node ${node.id}`);
    await off(node);
    await on(node);
  }

  /** Gives power. Only where `acts` says that somebody can. Throws UserError. */
  async on(node: NodeRow): Promise<void> {
    const { on } = this.#sourceOf(node) ?? {};
    if (!on) throw new TypeError(`nobody can switch node ${node.id} on`);
    await on(node);
  }

  /** Throws UserError. Null: nobody can tell. */
  async state(node: NodeRow): Promise<PowerState | null> {
    return (await this.#sourceOf(node)?.state?.(node)) ?? null;
  }

  /** Tells one time with power from the next; null where nobody can tell, and while there is none. */
  async cycle(node: NodeRow): Promise<string | null> {
    return (await this.#sourceOf(node)?.cycle?.(node)) ?? null;
  }

  /** Opens a node's serial console, as `PowerActions.console`; undefined where nobody offers it. */
  console(node: NodeRow): (() => Promise<Duplex>) | undefined {
    const { console } = this.#sourceOf(node) ?? {};
    return console && (() => console(node));
  }

  /** True for acts that another machine carries out. */
  isRemote(node: NodeRow): boolean {
    return this.#sourceOf(node)?.remote ?? false;
  }

  /** As users see it, without the state. */
  view(node: NodeRow): Omit<NodePower, 'state'> {
    const source = node.settings.power ?? NO_VALUE;
    const { kind, name } = this.#sourceOf(node) ?? { kind: NO_VALUE, name: source };
    return { kind, source: name === null ? null : source };
  }

  /** The sources that a node's setting can name. */
  get names(): string[] {
    return this.#sources.flatMap(({ name }) => name ?? []);
  }

  named(name: string): PowerSource | undefined {
    return this.#sources.find((source) => source.name === name);
  }

  /** Throws UserError where a node's setting names a source that server.conf no longer has. */
  requireKnown(node: NodeRow): void {
    const { source } = powerOf(node) ?? {};
    if (source === undefined || this.named(source)) return;
    throw powerFailure(
      source,
      'is not in server.conf any more.',
      `Put it there again, or: sudo walt node config ${node.name} power=${NO_VALUE}`,
    );
  }

  #sourceOf(node: NodeRow): PowerSource | undefined {
    return this.#sources.find((source) => source.has(node));
  }
}

function canReset(source: PowerSource | undefined): boolean {
  return source?.reset !== undefined || (source?.off !== undefined && source.on !== undefined);
}
