/** The life of the platform: `walt-server start`, `stop`, `restart`, `run`, `enable`, `disable`, `cleanup`. */
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { unmountSignInFolder } from './access/index.ts';
import { requireRoot, say } from './admin-terminal.ts';
import { haltImages, unregisterEmulators } from './images/index.ts';
import {
  answers,
  endSupervisedServer,
  isWatched,
  launchServer,
  openState,
  prepareLaunch,
  serverServes,
  withPrograms,
} from './launcher.ts';
import { releaseAdapters, removeNamespace, removeTunnelRules } from './network/index.ts';
import { clusterRuns, deleteCopies, endCluster, endJobs, isMachine, knownHosts } from './nodes/index.ts';
import {
  type Config,
  closeDisks,
  fileExists,
  isAlive,
  isExternalError,
  liveServer,
  type Paths,
  platformPaths,
  recordSupervisor,
  type SlurmConfig,
  signalSupervisor,
  UserError,
} from './platform/index.ts';
import {
  disableService,
  enableService,
  forgetService,
  isRestarting,
  isService,
  startService,
  stopService,
} from './service-unit.ts';
import { removeTree } from './trees/index.ts';

export async function start(config: Config): Promise<void> {
  requireRoot();
  if (await answers(config)) {
    if (await isWatched(config)) {
      say('The platform runs already.');
      return;
    }
    say('The platform runs, but nothing would start its server again: it is restarted.');
    await endSupervisedServer(config);
  }
  say('Starting the platform …');
  await launch(config);
  say('The platform runs.');
}

async function launch(config: Config): Promise<void> {
  if (await isService(config)) {
    // Here, it may take its time.
    await openState(config);
    await serverServes(config, startService);
  } else await launchServer(config);
}

/** For systemd, or whatever else wants a process to watch: becomes the supervisor. */
export async function runHere(config: Config): Promise<void> {
  requireRoot();
  if (await isWatched(config)) {
    throw new UserError('CONFLICT', 'The platform runs already.', 'Stop it first: walt-server stop');
  }
  // A server that lost its supervisor, or made it be killed because it hangs.
  await endSupervisedServer(config);
  const { argv, env } = await prepareLaunch(config);
  const [file = '', ...words] = argv;
  // Number and start time stay what they are.
  await recordSupervisor(platformPaths(config), argv);
  process.execve?.(file, [file, ...words], { ...process.env, ...env });
}

/** Ends the server, and with it all that it started: nodes are switched off, image shells stop (their changes wait). */
export async function stop(config: Config, options: { service?: boolean } = {}): Promise<void> {
  requireRoot();
  if (options.service && (await isRestarting())) {
    await endSupervisedServer(config);
    return say('The server is stopped, to be started again; nodes go on.');
  }
  await halt(config, options);
  say('The platform is stopped; images, nodes and what is in /persist are kept.');
}

async function halt(config: Config, { service = false } = {}): Promise<void> {
  requireRoot();
  say('Stopping the platform …');
  await withPrograms(config, async (programs) => {
    const count = (await programs.recorded()).filter(isMachine).length;
    if (count > 0) say(`${count} virtual node${count > 1 ? 's are' : ' is'} switched off.`);
  });
  // systemd calls us back, with `--service`.
  if (!service && (await isService(config))) await stopService();
  // The server first, so that it starts nothing again.
  await endSupervisedServer(config);
  await haltHosts(config);
  await withPrograms(config, async (programs) => {
    await Promise.all((await programs.recorded()).map((name) => programs.stop(name)));
    await endCluster(programs, platformPaths(config));
  });
  await haltImages(platformPaths(config), say);
  await closeDisks(platformPaths(config));
  await unmountSignInFolder(platformPaths(config).auth);
  const kept = await releaseAdapters(config.network.namespace, platformPaths(config).adapters);
  for (const reason of kept) say(`An adapter could not be given back to this machine as it was: ${reason}`);
  await removeNamespace(config);
}

/** Nodes on hosts are switched off, too. */
async function haltHosts(config: Config): Promise<void> {
  const paths = platformPaths(config);
  if (config.engine !== 'slurm' || !config.slurm || !(await fileExists(paths.identity))) return;
  const { slurm } = config;
  await removeTunnelRules(config.network.namespace);
  await withPrograms(config, async (programs) => {
    // Without a controller of our own, there is nothing on hosts either.
    if (!slurm.own || (await clusterRuns(programs))) await endOnHosts(slurm, paths);
  });
}

async function endOnHosts(slurm: SlurmConfig, paths: Paths): Promise<void> {
  try {
    const count = await endJobs(slurm, paths);
    if (count > 0)
      say(`${count} virtual node${count > 1 ? 's' : ''} on hosts ${count > 1 ? 'are' : 'is'} switched off.`);
  } catch (error) {
    if (!isExternalError(error)) throw error;
    say(`Slurm does not answer, so virtual nodes on hosts go on: ${error.message}`);
  }
}

/** What jobs of the platform left on hosts. Those of our own cluster were removed before. */
async function deleteOnHosts(config: Config): Promise<void> {
  const { engine, slurm } = config;
  const paths = platformPaths(config);
  if (engine !== 'slurm' || !slurm || slurm.own || !(await fileExists(paths.identity))) return;
  try {
    const kept = await deleteCopies(slurm, paths);
    if (kept.length > 0) say(`Copies of volumes may stay in /var/cache/walt-host of ${kept.join(', ')}.`);
  } catch (error) {
    if (!isExternalError(error)) throw error;
    say(`Slurm does not answer, so copies of volumes may stay on hosts: ${error.message}`);
  }
}

/** A new server process; virtual machines, DHCP and NFS go on, nodes notice nothing. */
export async function restart(config: Config): Promise<void> {
  requireRoot();
  say('Restarting the server …');
  if ((await isService(config)) && (await isWatched(config))) {
    // It ends in a way after which systemd starts it again.
    await serverServes(config, async (paths) => {
      const server = await liveServer(paths);
      await signalSupervisor(paths, 'SIGHUP');
      while (server && isAlive(server)) await delay(20);
    });
  } else {
    await endSupervisedServer(config);
    await launch(config);
  }
  say('The platform runs.');
}

export async function enable(config: Config): Promise<void> {
  requireRoot();
  await enableService(config);
  say(
    'The platform starts with this machine. systemd runs it from its next start on: walt-server stop, then start.',
  );
}

export async function disable(config: Config): Promise<void> {
  requireRoot();
  await disableService(config);
  say('The platform does not start with this machine any more.');
}

export async function cleanup(config: Config, options: { deleteData?: boolean }): Promise<void> {
  requireRoot();
  const hosts = (await knownHosts(platformPaths(config))).map(({ name }) => name);
  if (hosts.length > 0 && options.deleteData) {
    throw new UserError(
      'CONFLICT',
      `What "host add" made on other machines would stay there: ${hosts.join(', ')}.`,
      'Remove each first: walt-server host remove NAME; with --force where the machine is gone.',
    );
  }
  await halt(config);
  await forgetService(config);
  await unregisterEmulators(platformPaths(config));
  await rm(config.runtime, { recursive: true, force: true });
  if (options.deleteData) {
    await deleteOnHosts(config);
    // What users' programs made in shells is in there, too.
    await removeTree(config.state);
  }
  say(`The platform is stopped; ${config.state} is ${options.deleteData ? 'deleted' : 'kept'}.`);
}
