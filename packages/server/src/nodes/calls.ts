import { EventEmitter } from 'node:events';
import { type BootCause, DEFAULT_IMAGE, fullName, type nodeContract, PLATFORM_OWNER } from '@walt/contract';
import {
  type Caller,
  type CallsOf,
  demand,
  demandAll,
  type Guests,
  type OwnedNode,
  type StandingRights,
} from '../access/index.ts';
import type { ImageRecord } from '../images/index.ts';
import type { Network } from '../network/index.ts';
import { isExternalError, isUserError, nameList, UserError } from '../platform/index.ts';
import type { Agents } from './agents.ts';
import { detailsOf } from './details.ts';
import type { Engine } from './engine/index.ts';
import { bootsSeenBy } from './history/index.ts';
import type { Hardware, ImageChoice } from './image-choice.ts';
import { asTheyAre, type NodeLookup } from './lookup.ts';
import { createGuestCalls, type NodeGuests, owned } from './ownership/index.ts';
import { ping } from './ping.ts';
import { type BootTrouble, concerns, type Failure } from './plan/index.ts';
import type { Power, PowerErrands } from './power/index.ts';
import type { NodeQuotas } from './quotas/index.ts';
import { expandSet, selectSet } from './sets.ts';
import { createMachineCall, createSettingCalls, disksAtStake, virtualHardware } from './settings/index.ts';
import type { BootOrder, NodeRow, NodeStore } from './store.ts';
import type { DevicesOfNodes, NodeViews } from './views.ts';
import { waitBooted } from './wait.ts';

interface Deps {
  store: NodeStore;
  agents: Agents;
  machines: Pick<Engine, 'require' | 'requireRoom' | 'diskUse'>;
  views: NodeViews;
  lookup: NodeLookup;
  network: Pick<Network, 'freeAddress' | 'others' | 'exposed'>;
  choice: ImageChoice;
  quotas: Pick<NodeQuotas, 'require' | 'requireOf'>;
  power: Power;
  errands: Pick<PowerErrands, 'done' | 'forget'>;
  rights: Pick<StandingRights, 'review'>;
  guests: NodeGuests;
  logins: Pick<Guests, 'require'>;
  devices: Pick<DevicesOfNodes, 'isTaken'>;
  reconcile(): Promise<readonly Failure[]>;
  /** Nodes that the last pass could bring no further, by id. */
  troubles(): ReadonlyMap<number, BootTrouble>;
}

/** The contract's calls about nodes. */
export function createNodeCalls(deps: Deps): CallsOf<Omit<typeof nodeContract, 'changes'>> {
  const { store, agents, machines, choice, views, lookup, power, guests } = deps;
  const changes = new EventEmitter<{ change: [] }>().setMaxListeners(0);
  agents.on('change', () => changes.emit('change'));
  store.boots.on('change', () => changes.emit('change'));

  async function chosen(set: string, caller: Caller): Promise<NodeRow[]> {
    return await expandSet(set, await store.all(), caller.user, (rows) => views.of(rows));
  }

  const by = (caller: Caller, cause: BootCause) => ({ cause, user: caller.user, hard: false });

  /**
   * Writes the orders, all or none, makes them happen, and throws if that failed for one of these nodes. Answers those of the rows
   * that do not listen, and whose power nobody has. `may` demands the right to it, of the nodes as they are then.
   */
  async function order(
    orders: readonly BootOrder[],
    rows: readonly NodeRow[],
    may: May,
  ): Promise<{ unheard: string[] }> {
    await store.orderBoots(orders, async (nodes) => {
      await may(asTheyAre(rows, nodes));
      // Who gets a node: who loses one, or gets one back that he made, is not asked.
      const owners = new Map(orders.flatMap(({ ids, image }) => ids.map((id) => [id, image?.owner])));
      const after = nodes.map((node) => ({ ...node, image_owner: owners.get(node.id) ?? node.image_owner }));
      const gaining = [...owners.values()].flatMap((owner) =>
        owner === undefined || owner === PLATFORM_OWNER ? [] : [owner],
      );
      await deps.quotas.require(gaining, nodes, after);
    });
    // Who lost a node is cut off now, not when it has rebooted.
    await deps.rights.review();
    const ids = orders.flatMap(({ ids }) => ids);
    await settle(ids);
    await deps.errands.done(ids);
    return { unheard: names(rows.filter(({ id }) => deps.troubles().get(id) === 'deaf')) };
  }

  /** Each kind of hardware has an image of its own: all are found before the first node is told. */
  async function orderDefaults(
    rows: readonly NodeRow[],
    how: Omit<BootOrder, 'ids' | 'image'>,
    may: May,
    find: (hardware: Hardware) => Promise<ImageRecord>,
  ): Promise<{ unheard: string[] }> {
    const orders: BootOrder[] = [];
    for (const [hardware, nodes] of byHardware(rows)) {
      orders.push({ ...how, ids: nodes.map(({ id }) => id), image: await find(hardware) });
    }
    return await order(orders, rows, may);
  }

  /** Throws UserError when another node or device is called so; the contract has refused names that no node may have. */
  function checkNewName(name: string, nodes: readonly { name: string }[]): void {
    if (!nodes.some((node) => node.name === name) && !deps.devices.isTaken(name)) return;
    throw new UserError(
      'CONFLICT',
      `There is a node or device named "${name}" already.`,
      'Choose another name.',
    );
  }

  async function settle(ids: readonly number[]): Promise<void> {
    const failures = await deps.reconcile();
    changes.emit('change');
    const failure = failures.find(({ step }) => step === undefined || concerns(step, ids));
    if (!failure) return;
    const { error } = failure;
    if (isUserError(error)) throw error;
    throw new UserError(
      isExternalError(error) ? 'EXTERNAL' : 'UNAVAILABLE',
      error instanceof Error ? error.message : String(error),
      'The server keeps trying; its journal tells more: walt-server journal',
    );
  }

  return {
    ...createSettingCalls({ ...deps, chosen, settle }),
    ...createGuestCalls({ ...deps, chosen }),
    create: createMachineCall({ ...deps, checkNewName, settle }),
    details: async (caller, { set }) => detailsOf(await chosen(set, caller), caller, deps),

    async list(caller, { set, power }) {
      const rows = await selectSet(set, await store.all(), caller.user, (nodes) => views.of(nodes));
      return power ? views.withPower(rows, caller) : views.of(rows, caller);
    },

    async remove(caller, { set, yes }) {
      const rows = await chosen(set, caller);
      const connected = rows.filter((row) => row.type === 'physical' && agents.isConnected(row.id));
      if (connected.length > 0) {
        throw new UserError(
          'CONFLICT',
          `${nameList(connected)} running, and would register again at once.`,
          'Unplug what you want to remove, then repeat the command.',
        );
      }
      const may = (now: readonly NodeRow[]) => demandAll('node.remove', caller, owned(now), yes);
      may(rows);
      demandAll('node.forget', caller, await withDisks(rows, machines), yes);
      const ids = rows.map((row) => row.id);
      await store.remove(ids, (nodes) => may(asTheyAre(rows, nodes)));
      changes.emit('change');
      await deps.rights.review();
      await settle(ids);
      // Once their machines are gone, what they had stored is deleted.
      await settle(ids);
      return { nodes: names(rows) };
    },

    async boot(caller, { set, image: reference, yes }) {
      const rows = await chosen(set, caller);
      const kinds = [...byHardware(rows).keys()];
      const [hardware = virtualHardware('pc-x86-64')] = kinds;
      const image =
        reference === DEFAULT_IMAGE
          ? await choice.platformDefault(hardware)
          : await choice.bootable(reference, caller, kinds, lenderOf(await guests.owned(rows, caller)));
      const may: May = async (now) => {
        const nodes = await guests.owned(now, caller);
        demand('image.boot', caller, { ...image, lent: lenderOf(nodes) === image.owner });
        const booted = nodes.map((node) => ({ ...node, imageOwner: image.owner }));
        demandAll('node.boot', caller, booted, yes);
      };
      await may(rows);
      const ordered =
        reference === DEFAULT_IMAGE
          ? await orderDefaults(rows, by(caller, 'boot'), may, (kind) => choice.platformDefault(kind))
          : await order([{ ...by(caller, 'boot'), ids: rows.map(({ id }) => id), image }], rows, may);
      return { nodes: names(rows), ...ordered, image: fullName(image), digest: image.digest };
    },

    async reboot(caller, { set, hard, yes }) {
      const rows = await chosen(set, caller);
      if (hard) requirePower(rows, power);
      const how = { ...by(caller, hard ? 'hard-reboot' : 'reboot'), hard };
      const ordered = await order([{ ...how, ids: rows.map(({ id }) => id) }], rows, async (now) =>
        demandAll('node.reboot', caller, await guests.owned(now, caller), yes),
      );
      return { nodes: names(rows), ...ordered };
    },

    async acquire(caller, { set }) {
      const rows = await chosen(set, caller);
      const may = (now: readonly NodeRow[]) => demandAll('node.acquire', caller, owned(now));
      may(rows);
      const free = rows.filter((row) => row.image_owner === PLATFORM_OWNER);
      // Copies are made only once it is sure that there is an image for each.
      for (const hardware of byHardware(free).keys()) await choice.default(hardware, caller);
      const ordered = await orderDefaults(free, by(caller, 'acquire'), may, (hardware) =>
        choice.ownDefault(hardware, caller),
      );
      return { nodes: names(free), ...ordered };
    },

    async release(caller, { set, yes }) {
      const rows = (await chosen(set, caller)).filter((row) => row.image_owner !== PLATFORM_OWNER);
      const may = (now: readonly NodeRow[]) => demandAll('node.release', caller, owned(now), yes);
      may(rows);
      const ordered = await orderDefaults(rows, by(caller, 'release'), may, (hardware) =>
        choice.platformDefault(hardware),
      );
      return { nodes: names(rows), ...ordered };
    },

    async rename(caller, { name, newName, yes }) {
      const row = await lookup.row(name);
      await store.rename(row.id, newName, async (nodes) => {
        checkNewName(newName, nodes);
        demandAll('node.rename', caller, await guests.owned(asTheyAre([row], nodes), caller), yes);
      });
      await settle([row.id]);
      return lookup.view(newName);
    },

    async log(caller, { name, count }) {
      const { id } = await lookup.row(name);
      return bootsSeenBy(caller, await store.boots.of(id, count), await lookup.tenants(id, caller));
    },

    async wait(caller, { set, timeout }, signal) {
      const waited = await chosen(set, caller);
      const look = async () => {
        const rows = await store.byIds(waited.map(({ id }) => id));
        const there = new Set(rows.map(({ id }) => id));
        const gone = waited.filter(({ id }) => !there.has(id));
        if (gone.length > 0) {
          throw new UserError(
            'NOT_FOUND',
            `Removed while you waited: ${names(gone).join(', ')}.`,
            'See the nodes that there are with: walt node show --all',
          );
        }
        return views.of(rows, caller);
      };
      return waitBooted(look, changes, timeout, signal);
    },

    async ping(_caller, { name, count }, signal) {
      return ping((await lookup.row(name)).ip, count, signal);
    },
  };
}

/** Demands a right to these nodes. Asked in turn with all that changes nodes: whose they are may be new since they were chosen. */
type May = (nodes: readonly NodeRow[]) => void | Promise<void>;

/** Nodes, each with the disks that go with it. */
async function withDisks(rows: readonly NodeRow[], machines: Pick<Engine, 'diskUse'>) {
  const found = await disksAtStake(rows, { disks: null }, machines);
  const disks = new Map(found.map((node) => [node.name, node.disks]));
  return rows.map(({ name }) => ({ name, disks: disks.get(name) ?? [] }));
}

/** The one owner of all, if he lets the caller use them. */
function lenderOf([first, ...others]: readonly OwnedNode[]): string | undefined {
  const isLent = first?.guest && others.every(({ owner, guest }) => guest && owner === first.owner);
  return isLent ? (first.owner ?? undefined) : undefined;
}

/** Nodes that share a default image. */
function byHardware(rows: readonly NodeRow[]): Map<Hardware, NodeRow[]> {
  return new Map(
    [...Map.groupBy(rows, (row) => row.model).values()].map((nodes) => [nodes[0] as NodeRow, nodes]),
  );
}

/** Throws UserError unless somebody can cut the power of each, and give it back. */
function requirePower(rows: readonly NodeRow[], power: Pick<Power, 'acts'>): void {
  const [first, ...others] = rows.filter((row) => !power.acts(row).reset);
  if (!first) return;
  const hint =
    others.length + 1 < rows.length
      ? 'Leave out what has no source of power, or reboot without --hard. Nothing was done.'
      : 'Without --hard, the node itself is asked.';
  throw new UserError(
    'UNAVAILABLE',
    `Nobody can cut the power of ${[first, ...others].map(({ name }) => name).join(', ')}.`,
    `${hint} Who can: walt help show power`,
  );
}

function names(rows: readonly { name: string }[]): string[] {
  return rows.map((row) => row.name);
}
