import type { Node } from '@walt/contract';
import { fullName } from '@walt/contract';
import type { Caller, OwnedNode } from '../access/index.ts';
import { UserError } from '../platform/index.ts';
import type { ConsolePort, Consoles } from './consoles/index.ts';
import { bootOwnerOf, type NodeGuests } from './ownership/index.ts';
import { noSuchNode } from './sets.ts';
import type { NodeRow, NodeStore } from './store.ts';
import type { NodeViews } from './views.ts';

export interface NodeEndpoint extends Pick<Node, 'name' | 'ip' | 'owner' | 'state' | 'type'> {
  /** Permanent, never used again: names its keys and folders. */
  id: number;
  /** Whose boot runs, from its /persist on: not yet the owner's until the node has rebooted for him. Null: nobody's. */
  bootOwner: string | null;
}

export type Tenants = OwnedNode & Pick<NodeEndpoint, 'bootOwner'>;

interface Deps {
  store: NodeStore;
  views: NodeViews;
  guests: Pick<NodeGuests, 'owned'>;
  consoles: Pick<Consoles, 'port'>;
}

/** What other parts ask about nodes. */
export class NodeLookup {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Throws UserError NOT_FOUND, with near names in the hint. */
  async row(name: string): Promise<NodeRow> {
    const row = await this.#deps.store.byName(name);
    if (row) return row;
    throw noSuchNode(name, await this.#deps.store.all());
  }

  /** As `row`, as users see it. */
  async view(name: string): Promise<Node> {
    return await this.#viewOf(await this.row(name));
  }

  /** Throws as `row`. */
  async find(name: string): Promise<NodeEndpoint> {
    const row = await this.row(name);
    return { id: row.id, bootOwner: bootOwnerOf(row), ...(await this.#viewOf(row)) };
  }

  async #viewOf(row: NodeRow): Promise<Node> {
    const [node] = await this.#deps.views.of([row]);
    if (!node) throw noSuchNode(row.name, []);
    return node;
  }

  /**
   * Whose that very node is now, whatever it is called by now, and whether that one lets the caller use it. Throws UserError NOT_FOUND when
   * it was removed.
   */
  async tenants(id: number, caller: Caller): Promise<Tenants> {
    const { store, guests } = this.#deps;
    const row = await store.byId(id);
    const [node] = row ? await guests.owned([row], caller) : [];
    if (row && node) return { ...node, bootOwner: bootOwnerOf(row) };
    throw removed();
  }

  /** Names of the nodes that boot each image, by `owner/name`, sorted; images that no node boots are absent. */
  async nodesByImage(): Promise<ReadonlyMap<string, readonly string[]>> {
    const groups = Map.groupBy(await this.#deps.store.all(), imageOf);
    return new Map([...groups].map(([image, rows]) => [image, rows.map(({ name }) => name).sort()]));
  }

  /** Names of the nodes that boot image `owner/name` and do not run `digest`, sorted. */
  async outdated(image: string, digest: string): Promise<string[]> {
    const rows = await this.#deps.store.all();
    const behind = rows.filter((row) => imageOf(row) === image && row.served_digest !== digest);
    return behind.map(({ name }) => name).sort();
  }

  /** Throws as `Consoles.port`, and as `tenants`. */
  async console(id: number): Promise<ConsolePort> {
    const { store, consoles } = this.#deps;
    const row = await store.byId(id);
    if (!row) throw removed();
    return consoles.port(row);
  }
}

/** The same nodes, as they are among all `nodes`. Throws UserError NOT_FOUND when one was removed. */
export function asTheyAre(rows: readonly NodeRow[], nodes: readonly NodeRow[]): NodeRow[] {
  const ids = new Set(rows.map(({ id }) => id));
  const there = new Map(nodes.filter(({ id }) => ids.has(id)).map((node) => [node.id, node]));
  const gone = rows.filter(({ id }) => !there.has(id));
  if (gone.length === 0) return rows.flatMap(({ id }) => there.get(id) ?? []);
  throw new UserError(
    'NOT_FOUND',
    `Removed meanwhile: ${gone.map(({ name }) => name).join(', ')}. Nothing was changed.`,
    'See the nodes that there are with: walt node show --all',
  );
}

function removed(): UserError {
  return new UserError(
    'NOT_FOUND',
    'The node was removed.',
    'See the nodes that there are with: walt node show --all',
  );
}

function imageOf({ image_owner, image_name }: NodeRow): string {
  return fullName({ owner: image_owner, name: image_name });
}
