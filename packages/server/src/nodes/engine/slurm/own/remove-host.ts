/** `walt-server host remove`: a host is the machine again that it was. */
import { setTimeout as delay } from 'node:timers/promises';
import { parseSshPlace } from '@walt/contract';
import { UserError } from '../../../../platform/index.ts';
import { openSlurm, platformName } from '../open.ts';
import type { JobSeen } from '../output.ts';
import type { Slurm } from '../slurm.ts';
import { controllerFacts, type HostDeps } from './add-host.ts';
import { HostSession, lastWords } from './host-session.ts';
import { hostScript } from './host-steps.ts';
import { checkHostName } from './host-words.ts';
import { forgetHost, knownHosts } from './known-hosts.ts';

export interface RemoveOptions {
  /** The machine is gone: nothing is undone there. */
  force: boolean;
  /** Packages that `host add` installed go, too. */
  purge: boolean;
}

/** Milliseconds for nodes to begin elsewhere, where there is room; for their end; and for what is undone on the host. */
const LEAVE = 60_000;
const END = 30_000;
const UNDO = 600_000;

/** Its nodes begin elsewhere, or wait. Throws UserError that names host and next step; until the host was undone, it is drained. */
export async function removeHost(deps: HostDeps, name: string, options: RemoveOptions): Promise<void> {
  const { config, paths, say } = deps;
  checkHostName(name);
  const slurm = await openSlurm(config, paths);
  await controllerFacts(slurm);
  const all = await knownHosts(paths);
  const known = all.find((host) => host.name === name);
  const seen = (await slurm.hosts()).find((host) => host.name === name);
  if (!known && !seen) {
    const names = all.map((host) => host.name).join(', ');
    throw new UserError(
      'NOT_FOUND',
      `There is no host "${name}".`,
      names === '' ? 'There is none at all.' : `There are ${names}.`,
    );
  }
  const session = options.force ? undefined : await openSession(deps, name, known?.url);
  try {
    if (seen) await empty(slurm, name, say);
    if (session) await undo(session, name, options.purge, say);
  } finally {
    await session?.close();
  }
  if (seen) await drop(slurm, name);
  await forgetHost(paths, name);
  say(`${name} is removed.`);
}

async function openSession(
  { config, paths, say }: HostDeps,
  name: string,
  url: string | undefined,
): Promise<HostSession> {
  const place = parseSshPlace(url ?? '');
  if (typeof place === 'string') {
    throw new UserError(
      'UNAVAILABLE',
      `Nobody knows how ${name} is reached.`,
      `Undo it there: sh /var/lib/walt-host/undo. Then: walt-server host remove --force ${name}`,
    );
  }
  const platform = await platformName(paths);
  say(`${name}: connecting to ${place.url}`);
  const script = await hostScript(
    { platform, name, server: config.address },
    { nodes: false, volumes: false },
  );
  const session = await HostSession.open(name, place, script).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    const more = `Where it is gone for good: walt-server host remove --force ${name}`;
    throw new UserError(error.code, error.message, `${error.hint} ${more}`);
  });
  const { output } = await session.run('cat "$root/owner"');
  if (output === `${platform} ${name}`) return session;
  await session.close();
  throw new UserError(
    'CONFLICT',
    `${name}: the machine at ${place.url} is not that host (any more).`,
    `Where the host is gone for good: walt-server host remove --force ${name}`,
  );
}

/** Nothing runs there any more. */
async function empty(slurm: Slurm, name: string, say: HostDeps['say']): Promise<void> {
  await slurm.setState(name, 'drain', 'walt-server host remove');
  const isThere = ({ host, phase }: Pick<JobSeen, 'host' | 'phase'>) => host === name && phase !== 'over';
  const there = async () => [...(await slurm.jobs()), ...(await slurm.volumeJobs())].filter(isThere);
  const count = (await slurm.jobs()).filter(isThere).length;
  const boot = count === 1 ? '1 node boots' : `${count} nodes boot`;
  if (count > 0) say(`${name}: ${boot} on other hosts, where these have room`);
  const left = async (limit: number) => {
    const deadline = Date.now() + limit;
    while ((await there()).length > 0 && Date.now() < deadline) await delay(250);
    return await there();
  };
  // Where there is no other host, they are where they are.
  const rest = await left(LEAVE);
  await slurm.cancel(rest.map(({ job }) => job));
  await left(END);
}

async function undo(session: HostSession, name: string, purge: boolean, say: HostDeps['say']): Promise<void> {
  say(`${name}: undoing what was made there`);
  const { status, output } = await session.run(purge ? 'undo purge' : 'undo', UNDO);
  if (status !== 0) {
    throw new UserError(
      'UNAVAILABLE',
      `${name}: what was made there is not all undone: ${lastWords(output)}`,
      'Mend that there, then repeat the command.',
    );
  }
  if (output !== '' && !purge) say(`${name}: these packages, which came with it, stay: ${lastWords(output)}`);
}

/** Slurm forgets it. What Slurm thinks to run there, though nobody hears the host, begins elsewhere. */
async function drop(slurm: Slurm, name: string): Promise<void> {
  await slurm.setState(name, 'down', 'walt-server host remove');
  const deadline = Date.now() + END;
  while (!(await slurm.remove(name))) {
    if (Date.now() > deadline) {
      throw new UserError(
        'UNAVAILABLE',
        `Slurm does not let go of ${name}: something still ends there.`,
        `Repeat it in a while: walt-server host remove --force ${name}`,
      );
    }
    await delay(250);
  }
}
