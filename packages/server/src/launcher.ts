/** Starts and ends the server under its supervisor (supervise.sh). On the host's side, as root. */
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { requireRestored } from './backup/index.ts';
import { ensureNamespace } from './network/index.ts';
import {
  type Config,
  closeFolders,
  createLog,
  endServer,
  isExternalError,
  journalFile,
  answers as listens,
  liveSupervisor,
  namespaceFile,
  openVolumesDisk,
  type Paths,
  type ProgramSpec,
  Programs,
  platformPaths,
  projectFile,
  readCrashes,
  readTail,
  removeDrafts,
  SUPERVISOR,
  signalSupervisor,
  sinceLastStart,
  UserError,
} from './platform/index.ts';
import { upgradeState } from './upgrade/index.ts';

/**
 * Garbage is collected earlier: the server makes little of it, and its memory counts on a small machine. That node:ffi may change is
 * no news for who reads the journal: the version of Node.js is ours.
 */
const NODE_OPTIONS = [
  ...['--max-semi-space-size=2', '--enable-source-maps'],
  '--disable-warning=ExperimentalWarning',
];
const quiet = { info() {}, warn() {}, error() {} };
/** Milliseconds for a server to serve after somebody else was told to start it. */
const START_LIMIT = 60_000;

/** Brings the state folder to today's layout, and mounts what lies on file systems of its own. Idempotent. */
export async function openState(config: Config): Promise<void> {
  const paths = platformPaths(config);
  await requireRestored(paths);
  const stopNfs = () => withPrograms(config, (programs) => programs.stop('nfs'));
  const say = (text: string) => void process.stdout.write(`${text}\n`);
  await removeDrafts(paths);
  await upgradeState({ paths, persistSize: config.limits.persist, stopNfs, say });
  await openVolumesDisk(paths);
}

/** Makes the platform's namespace and folders; answers how the server is run and kept running. */
export async function prepareLaunch(config: Config): Promise<ProgramSpec & { env: Record<string, string> }> {
  const paths = platformPaths(config);
  await ensureNamespace(config);
  await closeFolders(paths);
  await openState(config);
  const server = ['nsenter', `--net=${namespaceFile(config.network.namespace)}`, '--'];
  server.push(process.execPath, ...NODE_OPTIONS, projectFile('dist/server/main.js'));
  return {
    name: SUPERVISOR,
    argv: [
      ...['/bin/sh', projectFile('packages/server/supervise.sh')],
      ...[paths.serving, paths.crashes, journalFile(paths)],
      ...server,
    ],
    env: config.file === null ? {} : { WALT_CONFIG: resolve(config.file) },
    restart: false,
    ready: () => answers(config),
  };
}

/** Starts the supervisor, and resolves when the server serves. Throws what the server said when it cannot. */
export async function launchServer(config: Config): Promise<void> {
  const spec = await prepareLaunch(config);
  if (await isWatched(config)) {
    return serverServes(config, (paths) => signalSupervisor(paths, 'SIGCONT'));
  }
  try {
    // Whatever runs this command is not told of a server that outlives it.
    const env = { ...spec.env, NOTIFY_SOCKET: '' };
    await withPrograms(config, (programs) => programs.ensure({ ...spec, env }));
  } catch (error) {
    throw (isExternalError(error) && (await whyNot(config))) || error;
  }
}

/** Resolves when the server, which `act` made somebody start, serves. Throws what it said when it ends instead. */
export async function serverServes(
  config: Config,
  act: (paths: Paths) => unknown | Promise<unknown>,
): Promise<void> {
  const paths = platformPaths(config);
  const last = async () => (await readCrashes(paths)).at(-1);
  const before = await last();
  await act(paths);
  const limit = Date.now() + START_LIMIT;
  while (!(await answers(config))) {
    const crash = await last();
    if (crash && crash.at !== before?.at) throw (await whyNot(config)) ?? notServing(crash.reason);
    if (Date.now() > limit) throw notServing(`it does not serve after ${START_LIMIT / 1000} s`);
    await delay(50);
  }
}

/** Ends the supervisor and the server, also one that lost its supervisor. Nodes notice nothing. */
export async function endSupervisedServer(config: Config): Promise<void> {
  await withPrograms(config, (programs) => programs.stop(SUPERVISOR));
  await endServer(platformPaths(config));
}

/** Whether a supervisor lives that starts the server again. */
export async function isWatched(config: Config): Promise<boolean> {
  return (await liveSupervisor(platformPaths(config))) !== undefined;
}

/** What the server said when it gave up, as main.ts prints it. */
async function whyNot(config: Config): Promise<UserError | undefined> {
  const tail = await readTail(journalFile(platformPaths(config)));
  const [, message, hint] = /^walt-server: (.*)\n {2}→ (.*)$/m.exec(sinceLastStart(tail)) ?? [];
  return message && hint ? new UserError('UNAVAILABLE', message, hint) : undefined;
}

function notServing(reason: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `The server does not start: ${reason}`,
    'The journal tells more: walt-server journal',
  );
}

/** Whether a server accepts connections on the socket. */
export function answers(config: Config): Promise<boolean> {
  return listens({ path: platformPaths(config).socket });
}

export async function withPrograms(
  config: Config,
  act: (programs: Programs) => Promise<void>,
): Promise<void> {
  const programs = new Programs(platformPaths(config), process.env.WALT_DEBUG ? createLog('admin') : quiet);
  try {
    await act(programs);
  } finally {
    programs.close();
  }
}
