import type { DeviceNote, Node } from '@walt/contract';
import type { Caller } from '../access/index.ts';
import type { Agents } from './agents.ts';
import type { Engine, PlaceSeen } from './engine/index.ts';
import { type BootHistory, type BootRow, failureSeenBy, lastStep } from './history/index.ts';
import { type NodeGuests, ownerOf } from './ownership/index.ts';
import { type BootTrouble, isSucceeded } from './plan/index.ts';
import type { Power, PowerErrands } from './power/index.ts';
import { knownSize } from './setting-values.ts';
import { nodeState } from './state.ts';
import { type NodeRow, now } from './store.ts';
import { troubleWords } from './troubles.ts';
import { servedVolumes } from './volume-servers/index.ts';

/** What nodes ask of devices/: what is heard of a machine, whatever it is. */
export interface DevicesOfNodes {
  notesOf(mac: string): readonly DeviceNote[];
  /** Whether a device that is no node is called so. */
  isTaken(name: string): boolean;
  /** Those that are no nodes. */
  others(): readonly { ip: string | null }[];
}

interface Deps {
  agents: Agents;
  boots: Pick<BootHistory, 'current'>;
  machines: Pick<Engine, 'running' | 'places'>;
  power: Pick<Power, 'view' | 'acts'>;
  errands: Pick<PowerErrands, 'look' | 'state' | 'failure'>;
  devices: Pick<DevicesOfNodes, 'notesOf'>;
  guests: Pick<NodeGuests, 'owned'>;
  /** Nodes that nothing brings further, by id. */
  troubles(): ReadonlyMap<number, BootTrouble>;
}

/** What is seen of a node beside its row. */
interface SeenOfRow {
  /** Whether its machine runs, where it is one of ours. */
  runs: boolean;
  /** Another machine runs by now than the one to which its last boot was served. */
  isAnother: boolean;
  /** The one that counts, unless it is up. */
  boot: BootRow | undefined;
  place: PlaceSeen | undefined;
}

/** Milliseconds that a listing waits for sources of power, at most. */
const PATIENCE = 2_000;

/** Rows as users see them: with what is observed now. */
export class NodeViews {
  readonly #deps: Deps;
  readonly #startedAt = now();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** As `of`, with the states of their power, as far as they can be had in two seconds. */
  async withPower(rows: readonly NodeRow[], caller?: Caller): Promise<Node[]> {
    const physical = rows.filter(({ type }) => type === 'physical');
    await this.#deps.errands.look(physical, PATIENCE);
    return this.of(rows, caller);
  }

  /** `caller`: who may read what these nodes of his have printed. */
  async of(rows: readonly NodeRow[], caller?: Caller): Promise<Node[]> {
    const virtual = rows.filter(({ type }) => type === 'virtual');
    const machines = await this.#deps.machines.running(virtual.map(({ id }) => id));
    const places = await this.#deps.machines.places(virtual);
    const succeeded = new Set(
      rows.filter((row) => isSucceeded(row.served_cycle, machines.get(row.id))).map(({ id }) => id),
    );
    const onTheirWay = rows.filter(
      ({ id, booted_at, generation, served_generation }) =>
        booted_at === null || generation !== served_generation || succeeded.has(id),
    );
    const boots = await this.#deps.boots.current(onTheirWay.map(({ id }) => id));
    const lent = await this.#lent(
      rows.filter(({ id }) => boots.get(id)?.failure),
      caller,
    );
    return rows.map((row) => {
      const { id } = row;
      const isAnother = succeeded.has(id);
      const boot = countingBoot(boots.get(id), isAnother);
      const node = { owner: ownerOf(row), guest: lent.has(row.name) };
      const told = boot && { ...boot, failure: failureSeenBy(caller, boot, node) };
      return this.#view(row, { runs: machines.has(id), isAnother, boot: told, place: places.get(id) });
    });
  }

  /** Names of those that the caller may use as a guest. */
  async #lent(rows: readonly NodeRow[], caller: Caller | undefined): Promise<ReadonlySet<string>> {
    if (caller === undefined || rows.length === 0) return new Set();
    const nodes = await this.#deps.guests.owned(rows, caller);
    return new Set(nodes.filter(({ guest }) => guest).map(({ name }) => name));
  }

  #view(row: NodeRow, { runs, isAnother, boot, place }: SeenOfRow): Node {
    const { agents, power, errands, troubles } = this.#deps;
    const powered = row.type === 'virtual' ? runs : row.served_at !== null;
    const failure = boot?.failure ?? null;
    const lastHeard = agents.lastHeard(row.id) ?? this.#startedAt;
    const { state, since } = nodeState(
      {
        generation: row.generation,
        served: row.served_generation,
        servedAt: row.served_at,
        bootedAt: row.booted_at,
        created: row.created,
        connected: agents.isConnected(row.id),
        lastHeard,
        failedAt: failure?.at ?? null,
        powered,
        succeededAt: isAnother ? (boot?.began ?? lastHeard) : null,
      },
      now(),
    );
    const running = state === 'booted' ? row.served_digest : null;
    const room = (state === 'booted' && agents.room(row.id)) || null;
    return {
      name: row.name,
      mac: row.mac,
      ip: row.ip,
      type: row.type === 'virtual' ? 'virtual' : 'physical',
      model: row.model,
      architecture: row.architecture,
      image: `${row.image_owner}/${row.image_name}`,
      owner: ownerOf(row),
      state,
      running,
      current: running === null || running === row.digest,
      bootMode: running === null ? null : row.boot_mode,
      hybridDisk: row.hybrid_disk,
      bootPlan: row.boot_plan === 'nfs-root' ? 'nfs-root' : 'volumes',
      since,
      boot: boot && (state === 'booting' || state === 'failed') ? progressOf(boot) : null,
      ...sizeOf(row),
      room: room && { ...room, changes: room.changes ?? null },
      host: place?.host ?? null,
      volumesFrom: (row.served_generation !== null && servedVolumes(row)?.host) || null,
      power: { ...power.view(row), state: row.type === 'virtual' ? isOn(powered) : errands.state(row) },
      trouble: troubleWords(row, {
        boot: troubles().get(row.id),
        power: errands.failure(row),
        place: place?.trouble,
        canSwitch: power.acts(row).reset,
        byKexec: boot?.times.kexec !== undefined,
        failure,
        room: room ?? undefined,
      }),
      notes: [...this.#deps.devices.notesOf(row.mac)],
    };
  }
}

/** What an earlier machine told of its boot is past, unless that came to nothing. */
function countingBoot(boot: BootRow | undefined, isAnother: boolean): BootRow | undefined {
  const isPast = isAnother && boot?.digest !== null && !boot?.failure;
  return isPast ? undefined : boot;
}

function progressOf(boot: BootRow): Node['boot'] {
  const { attempt, began, failure } = boot;
  const last = lastStep(boot);
  return { ...(last ?? { step: null, since: began }), attempt, final: failure?.final ?? false };
}

function sizeOf(row: NodeRow): Pick<Node, 'cpuCores' | 'ramMiB'> {
  if (row.type !== 'virtual') return { cpuCores: null, ramMiB: null };
  const { cpuCores = null, ramMiB = null } = knownSize(row) ?? {};
  return { cpuCores, ramMiB };
}

function isOn(powered: boolean): 'on' | 'off' {
  return powered ? 'on' : 'off';
}
