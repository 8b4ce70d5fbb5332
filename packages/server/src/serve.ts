/** Wires the parts of the server. */
import type { ServerStatus } from '@walt/contract';
import packageFile from '../../../package.json' with { type: 'json' };
import {
  Guests,
  Identity,
  mountSignInFolder,
  named,
  SshAuthority,
  StandingRights,
  warnOfStrangers,
} from './access/index.ts';
import { listen } from './api/index.ts';
import { holdImages } from './backup/index.ts';
import {
  bootFaults,
  ensurePlatformVolume,
  hasBootFiles,
  InitArchives,
  NodeFiles,
  NodeHttp,
  NodeTftp,
  prepareBootFiles,
  Reads,
  readBootRecord,
  sweepBootFiles,
  Trees,
  volumesOf,
} from './boot/index.ts';
import { checkPersist, checkPlatform } from './check/index.ts';
import { Devices } from './devices/index.ts';
import { Images, RaspiFirmware, VolumeDigests } from './images/index.ts';
import { Logs, startLogProgram } from './logs/index.ts';
import { Network } from './network/index.ts';
import { bootingNodes, createDirectory, createNodes, findAccelerator } from './nodes/index.ts';
import {
  type Config,
  closeFolders,
  createLog,
  hostNetwork,
  isSupervised,
  LogRotation,
  mayCollect,
  noteServing,
  openFiles,
  openPlatformDatabase,
  type Paths,
  Programs,
  platformPaths,
  ReserveFile,
  RootSocket,
  readCrashes,
  recordServer,
  UserError,
} from './platform/index.ts';
import { createServices } from './services.ts';
import { Quotas } from './space/index.ts';
import { serverTables } from './tables.ts';
import { WebApi } from './web/index.ts';

const log = createLog('server');

/** Milliseconds after which what keeps lines of logs is started again where it could not be. */
const LOGS_AGAIN = 30_000;

/** Brings the platform up, adopting what an earlier server left running. Answers how to end it; the rest lives on. */
export async function serve(config: Config): Promise<() => Promise<void>> {
  const startedAt = Date.now();
  const paths = platformPaths(config);
  await closeFolders(paths);
  await recordServer(paths);
  if (process.env.WALT_SUPERVISOR !== undefined && !isSupervised()) {
    // Its supervisor was killed before anybody could find this server.
    throw new UserError(
      'UNAVAILABLE',
      'Nothing watches over this server.',
      'Start it with: walt-server start',
    );
  }

  const {
    database,
    copy: copyOfDatabase,
    close: closeDatabase,
  } = await openPlatformDatabase(paths, serverTables, createLog('database'));
  const logs = new Logs(paths, createLog('logs'));
  const rotation = new LogRotation(paths.logs, config.limits.logs, log);
  const reserve = new ReserveFile(paths, config.limits.reservedSpace, log);
  const programs = new Programs(paths, logs.journal('programs'));
  const [network, platformVolume, ssh, accelerator] = await Promise.all([
    Network.open(config, paths, programs, logs.journal('network')),
    ensurePlatformVolume(paths),
    SshAuthority.open(paths),
    findAccelerator(paths, log),
  ]);
  // Nodes boot and run without it, and keep their lines until it is there.
  const keepLines = async (): Promise<void> => {
    try {
      const walt = { server: network.server, nodes: network.permanent, end: network.dynamic.last };
      await startLogProgram(programs, paths, walt, config.logs);
    } catch (error) {
      log.warn('lines that nodes log are not kept', { reason: String(error) });
      setTimeout(keepLines, LOGS_AGAIN).unref();
    }
  };
  await keepLines();
  const reads = new Reads(paths);
  await Promise.all([sweepBootFiles(paths), reads.sweep()]);
  const logins = new Guests();
  const quotas = new Quotas({ config: config.quotas, access: config.access });
  await warnOfStrangers('quotas', quotas.named, logs.journal('access'));
  await warnOfStrangers('roles', named(config.access), logs.journal('access'));
  const images = await Images.open({
    quotas,
    logins,
    config,
    paths,
    database,
    nodes: bootingNodes,
    prepareBoot: (image) => prepareBootFiles(image, paths, config.limits),
    hasBootFiles: (digest) => hasBootFiles(digest, paths),
    bootFaults: (digest) => bootFaults(digest, paths),
    log: logs.journal('images'),
  });
  const volumeDigests = new VolumeDigests({ database, paths, log: logs.journal('images') });
  await volumeDigests.sweep();
  const rights = new StandingRights(logs.journal('access'));
  const address = { server: network.server, mac: await network.mac() };
  const trees = new Trees({ paths, address, treeVolumes: (diffIds) => images.treeVolumes(diffIds) });
  const devices = await Devices.open({
    ...{ database, network, limits: config.limits, log: logs.journal('devices') },
    nodes: { all: async () => nodes.store.all(), heard: (mac) => nodes.store.boots.heard(mac) },
  });
  const kept = {
    keepConsole: logs.keepConsole.bind(logs),
    keep: async (addresses: readonly string[]) => {
      // A database that was restored may not know all nodes that log.
      if (!(await mayCollect(database))) return;
      const all = [...addresses, ...devices.others().map(({ ip }) => ip)];
      await logs.keep(all).catch((error) => {
        log.warn('lines of nodes that were removed are still there', { reason: String(error) });
      });
    },
  };
  const nodes = await createNodes({
    lines: kept,
    quotas,
    persistSize: config.limits.persist,
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
    config,
    provenVolumesOf: async ({ digest, layers }) => {
      const record = await readBootRecord(paths, digest);
      return record?.proves ? volumesOf({ platformVolume, layers }, record) : [];
    },
    volumeDigests,
    powerConfigs: config.power,
    onHost: (argv) => hostNetwork(config, argv),
    devices,
    log: logs.journal('nodes'),
  });

  logs.nameNodes(async (node) => (await nodes.store.byId(node))?.name);
  // Some may have been removed while the program was away.
  await kept.keep((await nodes.store.all()).map(({ ip }) => ip));

  const directory = createDirectory({
    ...nodes,
    images,
    ssh,
    network,
    devices,
    platformVolume,
    limits: config.limits,
    log: logs.journal('boot'),
  });
  const archives = new InitArchives(paths);
  const files = new NodeFiles({ directory, paths, archives, reads, address });
  const nodeHttp = new NodeHttp({
    ...{ directory, paths, archives, reads, files, copies: nodes.volumeServers },
    limits: config.limits.machines,
  });
  const firmware = new RaspiFirmware({
    ...{ cache: config.cache, allowed: config.firmware.nonFree, log: logs.journal('firmware') },
    host: (argv) => hostNetwork(config, argv),
  });
  firmware.begin();
  const reset = (ip: string) => nodeHttp.reset(ip);
  const nodeTftp = new NodeTftp({ directory, paths, archives, files, firmware, reset });
  await Promise.all([nodeHttp.listen(network.server, 80), nodeTftp.listen(network.server, 69)]);
  await nodes.reconciler.start();
  nodes.volumeServers.start();
  await devices.start();

  await mountSignInFolder(paths.auth, config.limits.signInFiles);
  const status = async (): Promise<Omit<ServerStatus, 'user' | 'role'>> => ({
    version: packageFile.version,
    uptime: Math.round((Date.now() - startedAt) / 1000),
    configFile: config.file,
    stateFolder: config.state,
    namespace: config.network.namespace,
    network: { subnet: config.network.subnet, server: network.server },
    accelerator,
    unguarded: network.unguarded ?? null,
    adapters: [...network.adapters],
    dhcpServers: network.dhcpServers,
    memory: process.memoryUsage.rss(),
    files: openFiles(),
    supervised: isSupervised(),
    crashes: await crashes(paths),
    logsOutage: await logs.outage(),
    programs: programs.status(),
  });
  const { services, held } = createServices({
    ...{ config, paths, database, network, rights, logins, quotas, images, nodes, directory, devices },
    ...{ firmware, files, logs, status },
    identity: await Identity.open({ paths, database, roles: config.access }),
    audit: (line) => logs.tell('platform.audit', line),
    log: (area) => logs.journal(area),
  });
  const api = await listen(services, paths, { limits: config.limits });
  const check = (repair: boolean) =>
    checkPlatform(
      {
        copy: copyOfDatabase,
        images: (all) => images.check(all),
        persist: () => checkPersist(nodes.store, paths),
      },
      repair,
    );
  const rootSocket = new RootSocket({
    acts: { hold: holdImages(images, copyOfDatabase), check: check(false), repair: check(true) },
    ...{ limits: config.limits.clients, log: logs.journal('root') },
  });
  await rootSocket.listen(paths.rootSocket);
  const web = new WebApi({
    ...{ config, paths, limits: config.limits.clients, lines: services.logs, logs, bridge: network.bridge },
    ...{ nodes: nodes.calls, images: services.calls.image, boots: nodes.store.boots.figures, status },
    log: logs.journal('http'),
  });
  await web.listen();
  // Nobody waits for those who only look on.
  web.open(programs).catch((error) => log.warn('nobody can ask by HTTP', { reason: String(error) }));
  await noteServing(paths);
  log.info('serving', { socket: paths.socket, namespace: config.network.namespace });

  return async () => {
    await api.close();
    await rootSocket.close();
    await web.close();
    rights.close();
    nodes.volumeServers.close();
    await nodes.reconciler.stop();
    nodes.agents.close();
    nodes.machines.close();
    nodes.recorder.close();
    await nodes.store.boots.close();
    await Promise.all([nodeHttp.close(), nodeTftp.close(), firmware.close()]);
    await devices.close();
    await network.close();
    await held.close();
    await images.close();
    programs.close();
    await closeDatabase();
    logs.close();
    await rotation.close();
    await reserve.close();
  };
}

async function crashes(paths: Paths): Promise<ServerStatus['crashes']> {
  const all = await readCrashes(paths);
  const last = all.at(-1);
  return { count: all.length, last: last ? { at: last.at, reason: last.reason } : null };
}
