/** `walt-server`: handles the platform on this machine. Runs on the host's side, as root; the server runs in the namespace. */
import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { unmountSignInFolder } from './access/index.ts';
import {
  type BackupCommand,
  backupInto,
  isCopyName,
  type RestoreCommand,
  restoreFrom,
} from './backup-commands.ts';
import { writeUsbImage } from './boot/index.ts';
import { type CheckCommand, checkState } from './check-command.ts';
import { hostCommand } from './host-commands.ts';
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
import { bringLines } from './logs/index.ts';
import { releaseAdapters, removeNamespace, removeTunnelRules } from './network/index.ts';
import { clusterRuns, endCluster, endJobs, isMachine, knownHosts } from './nodes/index.ts';
import {
  type Config,
  type Crash,
  closeDisks,
  configFile,
  fileExists,
  followLog,
  isAlive,
  isExternalError,
  isUserError,
  journalFile,
  lastLines,
  liveServer,
  loadConfig,
  type Paths,
  platformPaths,
  projectFile,
  readCrashes,
  recordSupervisor,
  type SlurmConfig,
  signalSupervisor,
  UserError,
} from './platform/index.ts';
import { localTime, restoreCopy } from './restore.ts';
import {
  disableService,
  EXIT_NEEDS_HELP,
  enableService,
  forgetService,
  isRestarting,
  isService,
  startService,
  stopService,
} from './service-unit.ts';
import { setupCommand } from './setup.ts';

async function start(config: Config): Promise<void> {
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
async function runHere(config: Config): Promise<void> {
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
async function stop(config: Config, options: { service?: boolean } = {}): Promise<void> {
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

/** A new server process; virtual machines, DHCP and NFS go on, nodes notice nothing. */
async function restart(config: Config): Promise<void> {
  requireRoot();
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

async function status(config: Config, options: { json?: boolean }): Promise<number> {
  if (!(await answers(config))) {
    const crashes = await readCrashes(platformPaths(config));
    const supervised = await isWatched(config);
    if (options.json) console.log(JSON.stringify({ running: false, supervised, crashes }));
    else say(notRunning(supervised, crashes));
    return 3;
  }
  const walt = projectFile('walt');
  const argv = ['advanced', 'server-status', ...(options.json ? ['--json'] : [])];
  return exitStatus(walt, argv, { WALT_SOCKET: platformPaths(config).socket });
}

function notRunning(supervised: boolean, crashes: readonly Crash[]): string {
  const last = crashes.at(-1);
  const lines = [
    supervised ? 'The server does not serve just now; it is started again.' : 'The platform does not run.',
  ];
  if (last) {
    const count = `${crashes.length} times in 24 hours, last at ${localTime(last.at)}`;
    lines.push(`It ended unexpectedly ${count}: ${last.reason}`);
  }
  lines.push(supervised ? 'To start it now: walt-server start' : 'Start it with: walt-server start');
  return lines.join('\n');
}

async function journal(config: Config, options: { follow?: boolean; lines: string }): Promise<void> {
  const count = Number(options.lines);
  if (!Number.isInteger(count) || count < 0) {
    throw new UserError(
      'INVALID',
      `${JSON.stringify(options.lines)} is no number of lines.`,
      'Say for example: -n 100',
    );
  }
  const file = journalFile(platformPaths(config));
  const { text, end } = await lastLines(file, count);
  await printed(text);
  if (!options.follow) return;
  for await (const chunk of followLog(file, end, new AbortController().signal)) await printed(chunk);
}

/** Resolves when it is written: whoever reads may be slower. */
function printed(text: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

async function backup(config: Config, options: BackupCommand, folder = ''): Promise<number> {
  requireRoot();
  return backupInto(config, options, folder, say);
}

async function check(config: Config, options: CheckCommand): Promise<number> {
  requireRoot();
  return checkState(config, options, say);
}

async function restore(config: Config, options: RestoreCommand, from?: string): Promise<void> {
  requireRoot();
  await (from === undefined || isCopyName(from)
    ? restoreCopy(config, options, from, say)
    : restoreFrom(config, options, from, say));
}

async function migrateLogs(config: Config): Promise<void> {
  requireRoot();
  if ((await answers(config)) || (await isWatched(config))) {
    throw new UserError('CONFLICT', 'The platform runs, and lines come.', 'Stop it first: walt-server stop');
  }
  await bringLines(config, platformPaths(config), say);
}

async function enable(config: Config): Promise<void> {
  requireRoot();
  await enableService(config);
  say(
    'The platform starts with this machine. systemd runs it from its next start on: walt-server stop, then start.',
  );
}

async function disable(config: Config): Promise<void> {
  requireRoot();
  await disableService(config);
  say('The platform does not start with this machine any more.');
}

async function cleanup(config: Config, options: { deleteData?: boolean }): Promise<void> {
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
  if (options.deleteData) await rm(config.state, { recursive: true, force: true });
  say(`The platform is stopped; ${config.state} is ${options.deleteData ? 'deleted' : 'kept'}.`);
}

async function usbImage(config: Config, _options: object, file = ''): Promise<void> {
  await writeUsbImage(file, platformPaths(config));
  say(`${file} is written: an image for a USB stick, from which PCs boot that cannot boot from the network.`);
  say(`Write it onto a stick, whose content is lost: dd if=FILE of=/dev/DEVICE bs=1M conv=fsync`);
}

function exitStatus(file: string, argv: string[], env: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, argv, { stdio: 'inherit', env: { ...process.env, ...env } });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new UserError('FORBIDDEN', 'Only root can handle the platform.', 'Repeat the command with sudo.');
}

/** Words that no command understands are told as all that fails is, with exit status 2. */
function tellWrongUse(command: Command, name: string): void {
  command.configureOutput({ outputError: () => {} }).exitOverride(({ code, message, exitCode }) => {
    if (exitCode === 0) process.exit(0);
    // Otherwise the help is printed.
    if (code !== 'commander.help') {
      const [first = '', ...rest] = message.replace(/^error: /, '').split('\n');
      const text = [`${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, '')}.`, ...rest].join(
        ' ',
      );
      process.stderr.write(`walt-server: ${text}\n  → \`${name} --help\` tells how it is used.\n`);
    }
    process.exit(2);
  });
  for (const each of command.commands) tellWrongUse(each, `${name} ${each.name()}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const program = new Command('walt-server')
  .description('Handles the WalT platform on this machine.')
  .option('--config <file>', 'configuration (default: $WALT_CONFIG, else /etc/walt/server.conf)');

function command<Options>(
  name: string,
  text: string,
  act: (config: Config, options: Options, argument?: string) => Promise<number> | Promise<void>,
  hidden = false,
): Command {
  return program
    .command(name, { hidden })
    .description(text)
    .action(async (...words: unknown[]) => {
      const { config } = program.opts<{ config?: string }>();
      // commander: arguments, options, the command itself.
      const [options, argument] = words.slice(0, -1).reverse() as [Options, string?];
      process.exitCode = (await act(await loadConfig(config), options, argument)) ?? 0;
    });
}

program.addCommand(
  setupCommand(say, () => {
    requireRoot();
    return configFile(program.opts<{ config?: string }>().config);
  }),
);
command('start', 'start the platform', start);
command('stop', 'stop it: nodes are switched off, nothing stored is lost', stop).addOption(
  new Option('--service', 'called by systemd').hideHelp(),
);
command('restart', 'restart the server process; nodes go on undisturbed', restart);
command('status', 'show what runs; exit status 3 if nothing does', status).option('--json', 'as data');
command('journal', 'show what the server wrote about its work', journal)
  .option('-f, --follow', 'go on as it writes')
  .option('-n, --lines <number>', 'how many lines', '100');
command('backup', 'copy the platform into a folder, while it runs: only what is not there yet', backup)
  .argument('<folder>', 'on another disk, best')
  .option('--keep <number>', 'remove older backups, all but so many')
  .option(
    '--verify',
    'write nothing: compare what is there with its digests; exit status 1 if something is torn',
  )
  .option('--json', 'as data');
command(
  'check',
  'look whether database, images, volumes and /persist fit together; exit status 1: not all did',
  check,
)
  .option('--repair', 'make again what can be made again, and remove what nobody knows')
  .option('--json', 'as data');
command('restore', 'bring a backup back, or put a copy of the database in its place', restore)
  .argument(
    '[from]',
    'folder of backups, for a machine without a platform; or a copy of the database (default: the newest sound one)',
  )
  .option('--from <backup>', 'name of the backup; default: the newest')
  .option('--list', 'show the backups, or copies, that there are')
  .option('--json', 'as data');
program.addCommand(
  hostCommand(say, () => {
    requireRoot();
    return loadConfig(program.opts<{ config?: string }>().config);
  }),
);
command('migrate-logs', 'move lines of logs to the database that server.conf names', migrateLogs);
command('enable', 'make the platform a service of systemd, which starts with this machine', enable);
command('disable', 'undo that', disable);
command('run', 'become the process that keeps the server running (for systemd)', runHere, true);
command(
  'usb-image',
  'make an image for a USB stick, for PCs that cannot boot from the network',
  usbImage,
).argument('<file>', 'where it is written; must not exist yet');
command('cleanup', 'stop, and undo all changes to this machine outside the state folder', cleanup).option(
  '--delete-data',
  'delete the state folder too: images, nodes, /persist',
);

tellWrongUse(program, 'walt-server');

// Whoever read what we print went away, as head(1) does.
process.stdout.on('error', () => process.exit(0));

try {
  await program.parseAsync();
} catch (error) {
  const hint = isUserError(error) ? error.hint : 'The journal tells more: walt-server journal';
  process.stderr.write(`walt-server: ${error instanceof Error ? error.message : error}\n  → ${hint}\n`);
  // systemd would repeat it.
  process.exitCode = isUserError(error) && program.args[0] === 'run' ? EXIT_NEEDS_HELP : 1;
}
