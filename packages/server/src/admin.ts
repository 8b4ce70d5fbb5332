/** `walt-server`: handles the platform on this machine. Runs on the host's side, as root; the server runs in the namespace. */
import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Command } from 'commander';
import { haltImages, unregisterEmulators } from './images/index.ts';
import { ensureNamespace, removeNamespace } from './network/index.ts';
import {
  type Config,
  createLog,
  type ExternalError,
  isExternalError,
  isUserError,
  loadConfig,
  namespaceFile,
  type ProgramSpec,
  Programs,
  platformPaths,
  projectFile,
  UserError,
} from './platform/index.ts';

const SERVER = 'walt-server';
/** Garbage is collected earlier: the server makes little of it, and its memory counts on a small machine. */
const NODE_OPTIONS = ['--max-semi-space-size=2', '--enable-source-maps'];
const quiet = { info() {}, warn() {}, error() {} };

async function start(config: Config): Promise<void> {
  requireRoot();
  if (await answers(config)) {
    say('The platform runs already.');
    return;
  }
  say('Starting the platform …');
  await ensureNamespace(config);
  await mkdir(config.runtime, { recursive: true, mode: 0o755 });
  const server: ProgramSpec = {
    name: SERVER,
    argv: [
      'nsenter',
      `--net=${namespaceFile(config.network.namespace)}`,
      '--',
      process.execPath,
      ...NODE_OPTIONS,
      projectFile('dist/server/main.js'),
    ],
    env: config.file === null ? {} : { WALT_CONFIG: config.file },
    restart: false,
    ready: () => answers(config),
  };
  try {
    await withPrograms(config, (programs) => programs.ensure(server));
  } catch (error) {
    throw isExternalError(error) ? whyNot(error) : error;
  }
  say('The platform runs.');
}

/** What the server said before it gave up, as main.ts prints it, instead of the end of its log. */
function whyNot(error: ExternalError): Error {
  const [, message, hint] = /walt-server: (.*)\n {2}→ (.*)\n$/.exec(error.output) ?? [];
  return message && hint ? new UserError('UNAVAILABLE', message, hint) : error;
}

/** Ends the server, and with it all that it started: nodes are switched off, image shells stop (their changes wait). */
async function stop(config: Config): Promise<void> {
  await halt(config);
  say('The platform is stopped; images, nodes and what is in /persist are kept.');
}

async function halt(config: Config): Promise<void> {
  requireRoot();
  await withPrograms(config, async (programs) => {
    say('Stopping the platform …');
    // The server first, so that it starts nothing again.
    await programs.stop(SERVER);
    await Promise.all((await programs.recorded()).map((name) => programs.stop(name)));
  });
  await haltImages(platformPaths(config));
  await removeNamespace(config);
}

/** A new server process; virtual machines, DHCP and NFS go on, nodes notice nothing. */
async function restart(config: Config): Promise<void> {
  requireRoot();
  await withPrograms(config, (programs) => programs.stop(SERVER));
  await start(config);
}

async function status(config: Config, options: { json?: boolean }): Promise<number> {
  if (!(await answers(config))) {
    if (options.json) console.log(JSON.stringify({ running: false }));
    else say('The platform does not run. Start it with: ./walt-server start');
    return 3;
  }
  const walt = projectFile('walt');
  const argv = ['advanced', 'server-status', ...(options.json ? ['--json'] : [])];
  return exitStatus(walt, argv, { WALT_SOCKET: platformPaths(config).socket });
}

function journal(config: Config, options: { follow?: boolean; lines: string }): Promise<number> {
  const file = join(platformPaths(config).logs, `${SERVER}.log`);
  return exitStatus('tail', ['-n', options.lines, ...(options.follow ? ['-F'] : []), '--', file], {});
}

async function cleanup(config: Config, options: { deleteData?: boolean }): Promise<void> {
  await halt(config);
  await unregisterEmulators(platformPaths(config));
  await rm(config.runtime, { recursive: true, force: true });
  if (options.deleteData) await rm(config.state, { recursive: true, force: true });
  say(`The platform is stopped; ${config.state} is ${options.deleteData ? 'deleted' : 'kept'}.`);
}

/** Whether a server accepts connections on the socket. */
function answers(config: Config): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(platformPaths(config).socket);
    const settle = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.on('connect', () => settle(true));
    socket.on('error', () => settle(false));
  });
}

async function withPrograms(config: Config, act: (programs: Programs) => Promise<void>): Promise<void> {
  const programs = new Programs(platformPaths(config), process.env.WALT_DEBUG ? createLog('admin') : quiet);
  try {
    await act(programs);
  } finally {
    programs.close();
  }
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

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const program = new Command('walt-server')
  .description('Handles the WalT platform on this machine.')
  .option('--config <file>', 'configuration (default: $WALT_CONFIG, else /etc/walt/server.conf)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

function command<Options>(
  name: string,
  text: string,
  act: (config: Config, options: Options) => Promise<number> | Promise<void>,
): Command {
  return program
    .command(name)
    .description(text)
    .action(async (options: Options) => {
      const { config } = program.opts<{ config?: string }>();
      process.exitCode = (await act(await loadConfig(config), options)) ?? 0;
    });
}

command('start', 'start the platform', start);
command('stop', 'stop it: nodes are switched off, nothing stored is lost', stop);
command('restart', 'restart the server process; nodes go on undisturbed', restart);
command('status', 'show what runs; exit status 3 if nothing does', status).option('--json', 'as data');
command('journal', 'show what the server wrote about its work', journal)
  .option('-f, --follow', 'go on as it writes')
  .option('-n, --lines <number>', 'how many lines', '100');
command('cleanup', 'stop, and undo all changes to this machine outside the state folder', cleanup).option(
  '--delete-data',
  'delete the state folder too: images, nodes, /persist',
);

try {
  await program.parseAsync();
} catch (error) {
  const hint = isUserError(error) ? error.hint : 'The journal tells more: ./walt-server journal';
  process.stderr.write(`walt-server: ${error instanceof Error ? error.message : error}\n  → ${hint}\n`);
  process.exitCode = 1;
}
