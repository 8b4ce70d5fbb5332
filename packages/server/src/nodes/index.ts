/** Nodes: what they should run, what they do run, and how the one becomes the other. */
import { isReservedNodeName } from '@walt/contract';
import type { Guests, SshAuthority, StandingRights } from '../access/index.ts';
import type { Trees } from '../boot/index.ts';
import type { DigestRecord, Images, VolumeDigests } from '../images/index.ts';
import type { Network } from '../network/index.ts';
import {
  type Config,
  type Database,
  type Log,
  type Paths,
  type PowerConfigs,
  type Programs,
  whileUnwritten,
} from '../platform/index.ts';
import type { Quotas } from '../space/index.ts';
import { Agents } from './agents.ts';
import { createNodeCalls } from './calls.ts';
import { ConsoleRecorder, Consoles } from './consoles/index.ts';
import { type Engine, openEngine } from './engine/index.ts';
import { NodeEntry } from './entry.ts';
import { lastLines } from './history/index.ts';
import { ImageChoice } from './image-choice.ts';
import { NodeLookup } from './lookup.ts';
import { NodeGuests } from './ownership/index.ts';
import { createWorld, desiredState, type LinesOfNodes, Reconciler } from './plan/index.ts';
import { Power, PowerErrands, powerSources, qemuPower } from './power/index.ts';
import { holdersOf, NodeQuotas, nodeDiskParts } from './quotas/index.ts';
import { logsConsole } from './setting-values.ts';
import { NodeStore } from './store.ts';
import type { NodeTables } from './tables.ts';
import { type DevicesOfNodes, NodeViews } from './views.ts';
import type { Accelerator } from './virtual/index.ts';
import { usedHosts, VolumeServerStore, VolumeServers } from './volume-servers/index.ts';

export { bootingNodes } from './booting-nodes.ts';
export { createChangesCalls, HeldChanges } from './changes/index.ts';
export type { ConsolePort } from './consoles/index.ts';
export { createDirectory } from './directory.ts';
export {
  addHost,
  clusterRuns,
  deleteCopies,
  drainHost,
  endCluster,
  endJobs,
  type HostListed,
  type HostWish,
  isMachine,
  knownHosts,
  listHosts,
  removeHost,
  resumeHost,
} from './engine/index.ts';
export { NodeEntry } from './entry.ts';
export type { NodeEndpoint, NodeLookup } from './lookup.ts';
export { machineDisks } from './machine-disks.ts';
export { ping } from './ping.ts';
export { persistImage } from './plan/index.ts';
export type { NodeRow } from './store.ts';
export { type NodeTables, nodeTables } from './tables.ts';
export { findAccelerator } from './virtual/index.ts';

interface Deps {
  database: Database<NodeTables>;
  network: Network;
  programs: Programs;
  paths: Paths;
  ssh: SshAuthority;
  rights: StandingRights;
  /** Logins and groups of this machine. */
  logins: Guests;
  /** From where connections to nodes come that the server relays, as sshd's `source-address` takes it; default: its own address. */
  relayedFrom?: string;
  trees: Trees;
  images: Pick<Images, 'byDigest' | 'get' | 'getSeen' | 'duplicate' | 'treeImages'>;
  accelerator: Accelerator;
  /** Who runs virtual nodes. */
  config: Pick<Config, 'engine' | 'slurm'>;
  /** Instead of the engine that `config` names. */
  engine?: Engine | undefined;
  /** Sources of power in server.conf. */
  powerConfigs: PowerConfigs;
  /** File names of the volumes that nodes mount of an image, where they can prove what they read; else none. */
  provenVolumesOf(image: Pick<DigestRecord, 'digest' | 'layers'>): Promise<string[]>;
  volumeDigests: Pick<VolumeDigests, 'soon'>;
  /** A command line that runs with the host's network instead of walt-net's. */
  onHost(argv: readonly string[]): string[];
  /** What is known of machines by their hardware address; nodes have no names that devices have. */
  devices: DevicesOfNodes;
  lines: LinesOfNodes;
  /** What users may have. */
  quotas: Quotas;
  /** Bytes of a new /persist. */
  persistSize: number;
  log: Log;
}

/** Puts the parts of this folder together. Nothing runs until the reconciler is asked. */
export async function createNodes(deps: Deps) {
  const {
    database,
    network,
    programs,
    paths,
    ssh,
    rights,
    logins,
    trees,
    images,
    accelerator,
    devices,
    log,
  } = deps;
  const store = new NodeStore(database);
  const guests = new NodeGuests(database, logins);
  for (const { id, name } of await store.all()) {
    // An older server allowed it. It means nothing where it could mean something else, but may confuse.
    if (isReservedNodeName(name))
      log.warn('a node should be renamed: its name means something else', { node: id, name });
  }
  const agents = new Agents();
  const volumeStore = await VolumeServerStore.open({
    ...{ database, network },
    taken: async () => new Set([...(await store.all()), ...devices.others()].flatMap(({ ip }) => ip ?? [])),
  });
  const machines =
    deps.engine ??
    (await openEngine({
      volumeServers: {
        place: (host) => volumeStore.place(host),
        used: async () => usedHosts(await store.all()),
      },
      ...{ config: deps.config, programs, network, paths, accelerator, log },
      onHost: deps.onHost,
      keepConsole: (part) => deps.lines.keepConsole(part),
    }));
  const { server, broadcast } = network;
  const sources = powerSources(deps.powerConfigs, { server, broadcast, onHost: deps.onHost });
  const power = new Power([qemuPower(machines), ...sources]);
  const errands = new PowerErrands({ power, log });
  const world = createWorld({
    network,
    machines,
    agents,
    errands,
    paths,
    ssh,
    trees,
    store,
    lines: deps.lines,
  });
  const noteEnd = async (id: number) => {
    const failure = { at: Date.now() / 1000, reason: 'it has not come up in its time', final: true };
    try {
      store.boots.gaveUp(id, { ...failure, console: await lastLines(machines.consoleLog(id)) });
    } catch (error) {
      log.warn('cannot note why a node does not boot', { node: id, error: String(error) });
    }
  };
  const reconciler = new Reconciler({
    desired: whileUnwritten(database, () => desiredState({ store, images, paths, power })),
    observe: () => world.observe(),
    carryOut: (step) => world.carryOut(step),
    noteTrouble: (node, trouble) => {
      if (trouble === 'stuck') void noteEnd(node);
    },
    log,
  });
  const quotas = new NodeQuotas({ quotas: deps.quotas, store, paths, limit: deps.persistSize });
  const changed = () => reconciler.prepare();
  const volumeServers = new VolumeServers({
    ...{ database, store, servers: volumeStore, machines, images, changed, log },
    provenVolumesOf: deps.provenVolumesOf,
    factsOf: (name) => deps.volumeDigests.soon(name),
  });
  const choice = new ImageChoice(images);
  const troubles = () => reconciler.troubles;
  const seen = { agents, machines, power, errands, devices, guests, troubles };
  const views = new NodeViews({ boots: store.boots, ...seen });
  const recorder = new ConsoleRecorder({
    issuerOf: async (id) => {
      const node = await store.byId(id);
      return node && logsConsole(node) ? node.ip : undefined;
    },
    keep: (part) => deps.lines.keepConsole(part),
    log,
  });
  const consoles = new Consoles({ machines, power, recorder });
  const lookup = new NodeLookup({ store, views, guests, consoles });
  const entry = new NodeEntry({ lookup, rights, ssh, relayedFrom: deps.relayedFrom ?? server });
  const calls = createNodeCalls({
    ...{ store, network, choice, rights, logins, views, lookup, ...seen },
    quotas,
    reconcile: () => reconciler.reconcile(),
  });
  /** What users have of nodes, and who has something. */
  const space = {
    usesOf: async (user: string) => quotas.usesOf(user, await store.all()),
    users: async () => holdersOf(await store.all()),
    diskParts: () => nodeDiskParts({ store, paths }),
  };
  return {
    space,
    store,
    agents,
    machines,
    volumeServers,
    recorder,
    consoles,
    power,
    choice,
    reconciler,
    calls,
    lookup,
    entry,
    changed,
  };
}
