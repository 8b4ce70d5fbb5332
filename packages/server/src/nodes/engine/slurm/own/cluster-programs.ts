/** Programs of a cluster of our own on the server's machine. Alone knows munged(8) and slurmctld(8). */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  attempt,
  fileExists,
  hasErrno,
  isExternalError,
  type Paths,
  type Programs,
  readIfPresent,
  type SlurmConfig,
  UserError,
  writeFileAtomic,
} from '../../../../platform/index.ts';
import { platformName } from '../open.ts';
import { CGROUP_CONF, clusterRun, mungeSocket, renderSlurmConf } from './slurm-conf.ts';

const MUNGED = 'munged';
const CONTROLLER = 'slurmctld';
/** Bytes of munge's key: mungekey(8) makes as many. */
const KEY_SIZE = 128;
/** Milliseconds for a controller to answer that was just started. */
const ANSWER_LIMIT = 15_000;

export interface ClusterDeps {
  config: SlurmConfig;
  paths: Pick<Paths, 'identity' | 'cluster' | 'clusterKey'>;
  programs: Programs;
  /** A command line that runs with the host's network instead of walt-net's. */
  onHost(argv: readonly string[]): string[];
}

/**
 * Starts or adopts them. Nodes on hosts do not notice when they end, and are started again. Throws UserError UNAVAILABLE where they
 * are not installed, or do not start.
 */
export async function startCluster(deps: ClusterDeps): Promise<void> {
  const { config, paths, programs, onHost } = deps;
  await requirePrograms(onHost);
  const platform = await platformName(paths);
  const state = join(paths.cluster, 'state');
  for (const folder of [state, dirname(paths.clusterKey)])
    await mkdir(folder, { recursive: true, mode: 0o700 });
  // munged(8) wants that all may enter it. Who connects to it is told by the kernel.
  await mkdir(clusterRun(platform), { recursive: true, mode: 0o755 });
  if (!(await fileExists(paths.clusterKey)))
    await writeFileAtomic(paths.clusterKey, randomBytes(KEY_SIZE), 0o600);
  const { address, partition } = config;
  const text = renderSlurmConf({ platform, address, partition, state });
  if ((await readIfPresent(config.config)) !== text) {
    // It reads the file when it starts.
    await programs.stop(CONTROLLER);
    await writeFileAtomic(join(paths.cluster, 'cgroup.conf'), CGROUP_CONF, 0o600);
    await writeFileAtomic(config.config, text, 0o600);
  }
  try {
    await programs.ensure(munged(platform, deps));
    await programs.ensure(controller(deps));
  } catch (error) {
    if (!isExternalError(error)) throw error;
    throw new UserError(
      'UNAVAILABLE',
      `The cluster of virtual nodes does not start: ${error.message}`,
      'Its programs say more in munged.log and slurmctld.log, beside the journal.',
    );
  }
}

function munged(platform: string, { paths, onHost }: ClusterDeps) {
  const socket = mungeSocket(platform);
  const argv = [
    ...['munged', '--foreground', `--key-file=${paths.clusterKey}`, `--socket=${socket}`],
    ...[`--pid-file=${socket}d.pid`, `--seed-file=${join(paths.cluster, 'munge.seed')}`],
  ];
  const ready = async () => (await attempt(['munge', '--no-input', `--socket=${socket}`])).status === 0;
  return { name: MUNGED, argv: onHost(argv), ready };
}

function controller({ config, onHost }: ClusterDeps) {
  const start = 'hostname "$1" && exec slurmctld -D -f "$2"';
  // Nobody waits for its answer: while it has none, nodes go on, and what is to be started waits.
  const argv = ['unshare', '--uts', '--', 'sh', '-c', start, 'sh', config.address, config.config];
  return { name: CONTROLLER, argv: onHost(argv) };
}

/** Of one that runs, and answers nobody. Throws ExternalError where it does not start. */
export async function restartController(deps: ClusterDeps): Promise<void> {
  await deps.programs.stop(CONTROLLER);
  await deps.programs.ensure(controller(deps));
}

async function requirePrograms(onHost: ClusterDeps['onHost']): Promise<void> {
  const missing: string[] = [];
  const needed = { munged: 'munge', slurmctld: 'slurmctld', scontrol: 'slurm-client' };
  for (const [program, debian] of Object.entries(needed)) {
    const found = await attempt(onHost(['sh', '-c', 'command -v "$1"', 'sh', program]));
    if (found.status !== 0) missing.push(debian);
  }
  if (missing.length === 0) return;
  throw new UserError(
    'UNAVAILABLE',
    `This machine lacks what a cluster of its own needs: ${missing.join(', ')}.`,
    `Install that: apt-get install ${missing.join(' ')}`,
  );
}

/** Whether there is a controller that could be asked. */
export async function clusterRuns(programs: Programs): Promise<boolean> {
  return (await programs.recorded([CONTROLLER])).length > 0;
}

/** Resolves when the controller answers, or has not for too long: whoever asks it then hears why. */
export async function untilAnswers({
  config,
  onHost,
}: Pick<ClusterDeps, 'config' | 'onHost'>): Promise<void> {
  const env = { SLURM_CONF: config.config };
  const deadline = Date.now() + ANSWER_LIMIT;
  while (Date.now() < deadline) {
    const { stdout } = await attempt(onHost(['scontrol', 'ping']), { env });
    if (/ is UP$/m.test(stdout)) return;
    await delay(100);
  }
}

/** Ends them, and takes away what they had outside the state folder. Idempotent. */
export async function endCluster(programs: Programs, paths: Pick<Paths, 'identity'>): Promise<void> {
  await programs.stop(CONTROLLER);
  await programs.stop(MUNGED);
  if (!(await fileExists(paths.identity))) return;
  const run = clusterRun(await platformName(paths));
  await rm(run, { recursive: true, force: true });
  try {
    await rmdir(dirname(run));
  } catch (error) {
    // Another platform has something there.
    if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY')) throw error;
  }
}
