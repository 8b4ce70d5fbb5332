import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  fileExists,
  isExternalError,
  namesIn,
  type Paths,
  signalProcess,
  unmountIn,
} from '../platform/index.ts';
import {
  allProcesses,
  containerOf,
  INIT_LABEL,
  INIT_SHUTDOWN,
  type ProcessFacts,
  STOP_LIMIT,
} from './containers/index.ts';
import { isDiskFull } from './disk-full.ts';
import { sweepMaking } from './recipes/index.ts';
import { emptyNetworks, removeNetworks, Store } from './store/index.ts';

/** Milliseconds for podman's helpers to end after their containers, and then for what was killed. */
const HELPERS_LIMIT = 15_000;
const KILLED_LIMIT = 10_000;

/**
 * Ends all that images have running or mounted on this machine: shells stop, their sessions wait to be saved. For when the
 * server has ended and the platform is stopped; run it with the host's network. `tell` hears of what had to be killed.
 */
export async function haltImages(paths: Paths, tell: Tell = () => {}): Promise<void> {
  await sweepMaking(paths.cache);
  if (!(await fileExists(paths.containers))) return;
  const store = await openStore(paths, tell);
  // One container that podman cannot handle must not keep the others; what podman leaves is ended without it below.
  const ask = (step: () => Promise<void>) =>
    step().catch((error: unknown) => {
      if (!isExternalError(error)) throw error;
      tell(`${error.message}: going on without it`);
    });
  await ask(async () => store?.execInLabelled(INIT_LABEL, INIT_SHUTDOWN));
  await endUnstarted(paths, tell);
  await ask(async () => store?.stopAll(STOP_LIMIT));
  await helpersGone(paths, tell);
  await ask(async () => store?.unmountContainers());
  await ask(async () => store?.unmountAll());
  // What podman does not know of, since it was killed itself; and its folder of layers, which it mounts upon itself and leaves so.
  await ask(async () => store && removeNetworks(store, await emptyNetworks(paths), tell));
  for (const folder of [paths.containersRun, paths.containers]) await unmountIn(folder);
}

type Tell = (line: string) => void;

/** Undefined on a full disk, where podman can do nothing either. */
async function openStore(paths: Paths, tell: Tell): Promise<Store | undefined> {
  try {
    return await Store.open(paths, (argv) => [...argv]);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    tell(`The disk is full (${paths.state}): containers are killed.`);
    return undefined;
  }
}

/**
 * Kills what is left of containers that podman has forgotten, as when both were killed while one was made. For when the server has
 * started, and makes none yet.
 */
export async function endStrays(paths: Paths, tell: Tell): Promise<void> {
  const known = new Set(await storedContainers(paths));
  for (const helper of await helpersOf(paths)) {
    if (helper.container !== undefined && !known.has(helper.container)) killAndTell(helper, tell);
  }
}

/** A process that belongs to the platform's containers: podman's own, which names their folder, or one that runs in one. */
interface Helper extends ProcessFacts {
  kind: 'podman' | 'inside';
  /** Undefined: it has to do with all, or with one that it does not tell. */
  container: string | undefined;
}

async function helpersOf(paths: Paths): Promise<Helper[]> {
  const all = await allProcesses();
  const podman = all.flatMap((process): Helper[] => {
    const { argv } = process;
    if (!argv.includes(paths.containersRun)) return [];
    // conmon(8).
    return [
      {
        ...process,
        kind: 'podman',
        container: argv.includes('-c') ? argv[argv.indexOf('-c') + 1] : undefined,
      },
    ];
  });
  const ids = new Set([...(await storedContainers(paths)), ...podman.map(({ container }) => container)]);
  const inside = all.flatMap((process): Helper[] => {
    const container = containerOf(process);
    const isOurs =
      container !== undefined && ids.has(container) && !process.argv.includes(paths.containersRun);
    return isOurs ? [{ ...process, kind: 'inside', container }] : [];
  });
  return [...podman, ...inside];
}

/** Numbers of the containers that the store has, and some other names. */
function storedContainers(paths: Paths): Promise<string[]> {
  return namesIn(join(paths.containers, 'overlay-containers'));
}

/**
 * Kills what waits in a container to be told to begin: whoever made it was killed in between, so that nobody ever will, and podman,
 * to which the container is not running, does not stop it.
 */
async function endUnstarted(paths: Paths, tell: Tell): Promise<void> {
  for (const helper of await helpersOf(paths)) {
    const [program = '', command] = helper.argv;
    if (helper.kind === 'inside' && /(?:^|\/)runc$/.test(program) && command === 'init')
      killAndTell(helper, tell);
  }
}

/**
 * Ends podman's service, and waits for what podman runs after a container's end (conmon, `container cleanup`): each would make
 * folders anew that were deleted meanwhile. They are nobody's children, so that no event tells their end. What does not end by
 * itself is killed.
 */
async function helpersGone(paths: Paths, tell: Tell): Promise<void> {
  const polite = Date.now() + HELPERS_LIMIT;
  const limit = polite + KILLED_LIMIT;
  const killed = new Set<number>();
  for (;;) {
    const helpers = await helpersOf(paths);
    if (helpers.length === 0) return;
    const now = Date.now();
    if (now > limit) {
      const which = helpers.map(({ pid, argv }) => `${pid} (${argv[0]})`).join(', ');
      throw new Error(`these processes of containers do not end, though they were killed: ${which}`);
    }
    await endUnstarted(paths, tell);
    for (const helper of helpers) {
      // What watched a program that was added to a container stays for 5 minutes, so that one can ask how it ended.
      const asked = helper.argv.includes('service') || helper.argv.includes('--exit-delay');
      if (helper.kind === 'podman' && asked) signalProcess(helper, 'SIGTERM');
      if (now > polite && !killed.has(helper.pid)) {
        killed.add(helper.pid);
        killAndTell(helper, tell);
      }
    }
    await delay(20);
  }
}

function killAndTell(helper: Helper, tell: Tell): void {
  if (signalProcess(helper, 'SIGKILL')) {
    tell(`Killed process ${helper.pid}, left of a container: ${helper.argv.join(' ').slice(0, 100)}`);
  }
}
