/**
 * A whole server for tests of its clients, wired as serve.ts does it: the API on a socket, sign-in, policy, calls, planners, images
 * with a store of their own. Played are machines and walt-net alone.
 */
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Architecture } from '@walt/contract';
import { pack } from 'tar-stream';
import {
  EVERYBODY,
  type GuestOptions,
  Guests,
  Identity,
  SshAuthority,
  StandingRights,
} from '../src/access/index.ts';
import { listen, type Services } from '../src/api/index.ts';
import { type NodeDirectory, Trees } from '../src/boot/index.ts';
import type { Devices } from '../src/devices/index.ts';
import { Catalogue } from '../src/images/catalogue/index.ts';
import { type ImageRecord, unregisterEmulators } from '../src/images/index.ts';
import { Logs, openKeeper } from '../src/logs/index.ts';
import { parseSubnet } from '../src/network/subnet.ts';
import type { Engine } from '../src/nodes/engine/index.ts';
import { bootingNodes, createDirectory, createNodes } from '../src/nodes/index.ts';
import {
  type AccessConfig,
  defaultLimits,
  type Log,
  NO_QUOTAS,
  type PowerConfigs,
  type Programs,
  type QuotaConfig,
  type RegistryConfig,
  UserError,
} from '../src/platform/index.ts';
import { createServices } from '../src/services.ts';
import { Quotas } from '../src/space/index.ts';
import { openDevices, PlayedNeighbours } from './devices.ts';
import { PlayedMachines } from './machines.ts';
import { playNetwork } from './network.ts';
import {
  destroyPlatform,
  openPlatform,
  type Platform,
  quiet,
  result,
  temporaryFolder,
  tinyRoot,
} from './platform.ts';
import { serverStatus } from './status.ts';

/** Whoever runs tests, the server knows him by this name. */
export const USER = 'alice';

export interface TestServer extends AsyncDisposable {
  /** Where its socket is. */
  folder: string;
  socket: string;
  platform: Platform;
  services: Services;
  nodes: Awaited<ReturnType<typeof createNodes>>;
  /** What nodes ask while they boot and run. */
  directory: NodeDirectory;
  machines: PlayedMachines;
  /** Machines on walt-net that are heard. */
  neighbours: PlayedNeighbours;
  devices: Devices;
  ssh: SshAuthority;
  catalogue: Catalogue;
  /** Where nodes bring lines. */
  logPort: number | undefined;
  /** Where they bring syslog. */
  syslog: { udp: number; tcp: number; netconsole: number } | undefined;
  logs: Logs;
  /** Calls that were let in, in their order: name and input. */
  calls: [name: string, input: unknown][];
  /** What was done, from where, with which result. */
  audited: string[];
  /** The node of that name, of that image's owner. A virtual one has booted when it resolves, unless machines are held. */
  addNode(name: string, image?: `${string}/${string}`, type?: 'virtual' | 'physical'): Promise<void>;
  /** An image that is a row of the catalogue: what there is to know of it, without its files. */
  addImage(fullName: `${string}/${string}`, record?: Partial<ImageRecord>): Promise<ImageRecord>;
  /** An image with these files, by their paths below its root; without: busybox and a few files. Replaces one of that name. */
  addTree(
    fullName: `${string}/${string}`,
    files?: Readonly<Record<string, string>>,
    architecture?: Architecture,
  ): Promise<ImageRecord>;
  /** Nothing is made of Debian's packages any more, which are elsewhere: no compilers for other CPUs, no default images. */
  withoutPackages(): void;
  /** Forgets all nodes, names and sessions, what was called, and, unless it is kept, what is known of images. */
  clear(options?: { keepDigests?: boolean }): Promise<void>;
  /** How often somebody has proved who he is, since the last `forgetTokens`. */
  proofs(): Promise<number>;
  /** All have to sign in again. */
  forgetTokens(): Promise<void>;
}

export interface ServerOptions {
  /** Of walt-net. */
  subnet?: string;
  /** Whether its database is a file, as that of a platform; default: it is in memory. */
  storesRows?: boolean;
  /** Instead of one user, who is all that there are. */
  signIn?: Pick<Parameters<typeof Identity.open>[0], 'loginName' | 'now'>;
  /** Logins and groups, instead of those of this machine. */
  logins?: GuestOptions;
  /** Default: everybody is a member. */
  roles?: AccessConfig;
  /** Default: everybody may have all that there is. */
  quotas?: QuotaConfig;
  /** Of the API and what it calls; default: nothing is written. */
  log?: Log;
  registries?: (Partial<RegistryConfig> & { label: string })[];
  power?: PowerConfigs;
  /** Who runs machines of virtual nodes; default: they are played on this server. */
  engine?: Engine;
  /** Whether lines are kept, as by the program: then nodes need addresses of this machine (`loopbackNet`). */
  lines?: boolean;
}

export async function startServer({
  subnet = '10.73.0.0/16',
  storesRows = false,
  registries = [],
  signIn = { loginName: async () => USER },
  log = quiet,
  power = {},
  lines = false,
  roles = EVERYBODY,
  quotas: quotaConfig = NO_QUOTAS,
  logins: played = {},
  engine,
}: ServerOptions = {}): Promise<TestServer> {
  const folder = await temporaryFolder();
  const logins = new Guests(played);
  // Who signs in here is no login of this machine.
  const groupsOf = async () => new Set<string>();
  const quotas = new Quotas({ config: quotaConfig, access: roles, groupsOf });
  const platform = await openPlatform(folder, {
    quotas,
    logins,
    registries: registries.map(registryOf),
    ...(!storesRows && { database: ':memory:' }),
    retention: { versions: 10, days: 7 },
  });
  const { paths, database, images } = platform;
  const ssh = await SshAuthority.open(paths);
  const rights = new StandingRights(log);
  const neighbours = new PlayedNeighbours(parseSubnet(subnet));
  const network = playNetwork(subnet, neighbours);
  const machines = new PlayedMachines({
    directory: () => directory,
    address: async (id) => (await nodes.store.byId(id))?.ip,
  });
  const trees = new Trees({
    paths,
    address: { server: network.server, mac: '52:54:00:00:00:01' },
    treeVolumes: (diffIds) => images.treeVolumes(diffIds),
  });
  const devices = await openDevices(database, neighbours, {
    all: async () => nodes.store.all(),
    heard: (mac) => nodes.store.boots.heard(mac),
  });
  const logs = new Logs(paths, log);
  // Nodes that are played have addresses of this machine.
  const loopback = { first: '127.0.0.1', last: '127.255.255.254' };
  const keeper = lines
    ? await openKeeper({
        ...{ place: { file: paths.logDatabase }, paths, limits: defaultLimits(), log },
        keep: platform.deps.config.logs,
        ...{ address: '127.0.0.1', port: 0, nodes: loopback },
        ...{ messages: { syslog: 0, netconsole: 0 }, machines: loopback },
        thread: new URL('../src/logs/program/queries/thread.ts', import.meta.url),
      })
    : undefined;
  const nodes = await createNodes({
    ...{ quotas, persistSize: defaultLimits().persist },
    lines: keeper ? logs : { keep: async () => {}, keepConsole: async ({ reached }) => reached },
    ...{
      database,
      network,
      paths,
      ssh,
      rights,
      logins,
      trees,
      images,
      devices,
      accelerator: 'tcg',
      log: quiet,
    },
    ...{
      config: { engine: 'local' },
      provenVolumesOf: async () => [],
      volumeDigests: { soon: async () => undefined },
      engine,
      powerConfigs: power,
      onHost: (argv) => [...argv],
      relayedFrom: '127.0.0.0/8',
    },
    programs: machines as unknown as Programs,
  });
  const directory = createDirectory({
    ...{
      ...nodes,
      images,
      ssh,
      network,
      devices,
      platformVolume: 'none',
      limits: defaultLimits(),
      log: quiet,
    },
  });
  const calls: TestServer['calls'] = [];
  const audited: string[] = [];
  const made = createServices({
    ...{ paths, database, network, rights, logins, quotas, images, nodes, directory, devices, logs },
    config: { limits: { reservedSpace: undefined }, logs: platform.deps.config.logs },
    identity: await Identity.open({ paths, database, roles, ...signIn }),
    firmware: { ensure: async () => {} },
    // Nothing is loaded by machines that are played.
    files: { wouldLoad: async () => undefined },
    status: async () => serverStatus(paths.state),
    audit: (line) => {
      audited.push(line);
      if (keeper) logs.tell('platform.audit', line);
    },
    log: () => log,
  });
  const services: Services = { ...made.services, calls: noted(made.services.calls, calls) };
  await devices.start();
  const api = await listen(services, paths);
  const catalogue = new Catalogue(database, bootingNodes);

  return {
    ...{
      folder: paths.runtime,
      socket: paths.socket,
      platform,
      services,
      nodes,
      directory,
      machines,
      neighbours,
      devices,
      ssh,
      catalogue,
      calls,
      audited,
      logs,
      logPort: keeper?.port,
      syslog: keeper?.syslog,
    },

    async addNode(name, image = `${USER}/debian`, type = 'virtual') {
      const [owner = '', imageName = ''] = image.split('/');
      const id = await nodes.store.register(async (all) => ({
        ...{ name, type, model: 'pc-x86-64', architecture: 'amd64' },
        ...{ image_owner: owner, image_name: imageName },
        ip: await network.freeAddress(new Set(all.map(({ ip }) => ip))),
        mac: `52:54:00:00:00:${(all.length + 16).toString(16)}`,
      }));
      await nodes.reconciler.reconcile();
      if (type === 'physical' || machines.held) return;
      // One that asks again soon after a reboot is no news.
      while (!nodes.agents.isConnected(id)) await delay(10);
    },

    async addImage(fullName, record = {}) {
      const [owner = '', name = ''] = fullName.split('/');
      const digest = `sha256:${createHash('sha256').update(fullName).digest('hex')}`;
      const made: ImageRecord = {
        ...{ owner, name, digest, architecture: 'amd64', created: 1_790_000_000, size: 409_000_000 },
        ...{
          layers: [digest],
          kernel: '6.1.0-30-cloud-amd64',
          bootPlan: 'volumes',
          models: ['pc-x86-64'],
          lends: [],
        },
        ...record,
      };
      await catalogue.point(made, made, 'any', { user: owner, action: 'import' });
      return made;
    },

    async addTree(fullName, files, architecture = 'amd64') {
      const [owner = '', name = ''] = fullName.split('/');
      const tar = files ? await tarOf(files, folder) : await tinyRoot(folder);
      return await result(images.importTar(owner, { tar, architecture }, { owner, name }, true));
    },

    withoutPackages() {
      const refuse = async () => {
        throw new UserError('EXTERNAL', 'Packages cannot be had.', 'Look at the network.');
      };
      Object.assign(services.calls.image, { makeDefault: refuse });
      Object.assign(services.calls.image.cross, { open: refuse });
    },

    async clear({ keepDigests = false } = {}) {
      const rows = await nodes.store.all();
      for (const { id } of await images.shells.list()) await images.shells.discard(id);
      await nodes.store.remove(rows.map(({ id }) => id));
      await nodes.reconciler.reconcile();
      const names = ['image', 'image_history', 'image_sharing'] as const;
      for (const table of keepDigests ? names : ([...names, 'image_digest', 'image_layer'] as const))
        await database.deleteFrom(table).execute();
      calls.length = 0;
      audited.length = 0;
    },

    async proofs() {
      return (await database.selectFrom('token').select('hash').execute()).length;
    },

    async forgetTokens() {
      await database.deleteFrom('token').execute();
    },

    async [Symbol.asyncDispose]() {
      await api.close();
      rights.close();
      machines.close();
      await nodes.reconciler.stop();
      await devices.close();
      nodes.agents.close();
      nodes.machines.close();
      nodes.recorder.close();
      await nodes.store.boots.close();
      await unregisterEmulators(paths);
      await made.held.close();
      logs.close();
      await keeper?.[Symbol.asyncDispose]();
      await destroyPlatform(platform);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function registryOf(given: Partial<RegistryConfig> & { label: string }): RegistryConfig {
  const known = { kind: 'docker-registry-v2', host: `${given.label}.example`, protocol: 'https' } as const;
  return { ...known, description: '', otherHosts: [], ...given } as RegistryConfig;
}

/** Answers its path. */
async function tarOf(files: Readonly<Record<string, string>>, folder: string): Promise<string> {
  const tar = pack();
  for (const [name, text] of Object.entries(files))
    tar.entry({ name, type: name.endsWith('/') ? 'directory' : 'file', mtime: new Date(0) }, text);
  tar.finalize();
  const path = join(folder, 'tree.tar');
  await writeFile(path, Readable.from(tar));
  return path;
}

/** The same calls; each is written down before it is carried out. */
function noted<Calls extends object>(calls: Calls, into: TestServer['calls'], path = ''): Calls {
  const entries = Object.entries(calls).map(([key, call]: [string, unknown]) => {
    const name = path === '' ? key : `${path}.${key}`;
    if (typeof call !== 'function') return [key, noted(call as object, into, name)];
    return [
      key,
      (...[caller, input, ...rest]: unknown[]) => {
        into.push([name, input]);
        return call.call(calls, caller, input, ...rest);
      },
    ];
  });
  return Object.fromEntries(entries) as Calls;
}
