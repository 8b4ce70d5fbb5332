import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isExternalError, type Log, type Paths, run, type SlurmConfig } from '../../../platform/index.ts';
import type { KeepConsole } from '../../consoles/index.ts';
import { countUserIds } from '../user-ids.ts';
import { isInUse } from './fit.ts';
import type { HostSeen } from './output.ts';
import { Slurm } from './slurm.ts';
import { SlurmEngine } from './slurm-engine.ts';
import { copiesFile, type VolumeJobsDeps } from './volumes/index.ts';
import type { Tunnel } from './ways.ts';

/** Milliseconds for machines to end. */
const END_LIMIT = 15_000;

type OnHost = (argv: readonly string[]) => string[];

interface Deps {
  config: SlurmConfig;
  paths: Pick<Paths, 'identity' | 'virtual' | 'virtualRun'>;
  network: {
    server: string;
    prefix: number;
    cidr: string;
    setTunnels(tunnels: readonly Tunnel[], way: { address: string; port: number }): Promise<void>;
  };
  volumeServers: VolumeJobsDeps['servers'];
  restartController: (() => Promise<void>) | undefined;
  /** A command line that runs with the host's network instead of walt-net's. */
  onHost: OnHost;
  keepConsole: KeepConsole;
  log: Log;
}

export async function openSlurmEngine(deps: Deps): Promise<SlurmEngine> {
  const { config, paths, network, volumeServers, restartController, onHost, keepConsole, log } = deps;
  const { partition, address: server, vxlanPort } = config;
  const platform = await platformName(paths);
  return await SlurmEngine.open({
    ...{ partition, paths, restartController, keepConsole, log },
    volumes: { walt: network, servers: volumeServers },
    slurm: slurmOf(config, platform, onHost),
    place: { platform, server, vxlanPort, userIds: await countUserIds() },
    setTunnels: (tunnels) => network.setTunnels(tunnels, { address: server, port: vxlanPort }),
    resolve: async (name) => {
      const [address = ''] = (await run(onHost(['getent', 'ahostsv4', '--', name]))).split(/\s/);
      return address;
    },
  });
}

/** For who only asks Slurm. `onHost`: see `Deps`; default: we have the host's network. */
export async function openSlurm(
  config: SlurmConfig,
  paths: Pick<Paths, 'identity'>,
  onHost: OnHost = (argv) => [...argv],
): Promise<Slurm> {
  return slurmOf(config, await platformName(paths), onHost);
}

/** Ends all machines of the platform on hosts, and what serves volumes there. Answers how many machines that were. Throws ExternalError when Slurm does not answer. */
export async function endJobs(
  config: SlurmConfig,
  paths: Pick<Paths, 'identity'>,
  onHost?: OnHost,
): Promise<number> {
  const slurm = await openSlurm(config, paths, onHost);
  const [machines, volumes] = await Promise.all([slurm.jobs(), slurm.volumeJobs()]);
  const live = machines.filter(({ phase }) => phase === 'lives');
  const all = [...live, ...volumes.filter(({ phase }) => phase === 'lives')];
  await slurm.cancel(all.map(({ job }) => job));
  // Our own controller ends next, and could not tell hosts any more.
  if (config.own) await untilOver(slurm);
  return live.length;
}

/**
 * Deletes the copies of volumes that the platform's jobs left on hosts of its partition. Answers names of hosts that are away, or do not
 * do it. Throws ExternalError when Slurm does not answer.
 */
export async function deleteCopies(
  config: SlurmConfig,
  paths: Pick<Paths, 'identity'>,
): Promise<readonly string[]> {
  const slurm = await openSlurm(config, paths);
  const file = copiesFile(await platformName(paths));
  const kept = async (host: HostSeen): Promise<string[]> => {
    if (!isInUse(host)) return [host.name];
    try {
      await slurm.runOn(host.name, ['rm', '-f', '--', file]);
      return [];
    } catch (error) {
      if (!isExternalError(error)) throw error;
      return [host.name];
    }
  };
  return (await Promise.all((await slurm.hosts()).map(kept))).flat();
}

/** Those of a host that is away do not end; its machines do, by themselves. */
async function untilOver(slurm: Slurm): Promise<void> {
  const deadline = Date.now() + END_LIMIT;
  const live = async () => [...(await slurm.jobs()), ...(await slurm.volumeJobs())];
  while (Date.now() < deadline && (await live()).some(({ phase }) => phase !== 'over')) await delay(200);
}

function slurmOf({ config, partition }: SlurmConfig, platform: string, onHost: OnHost): Slurm {
  return new Slurm({ config, partition, prefix: `walt-${platform}-`, onHost });
}

/** Tells it from other platforms that use the same cluster. Short, since links and folders are named by it. */
export async function platformName({ identity }: Pick<Paths, 'identity'>): Promise<string> {
  const id = (await readFile(identity, 'utf8')).trim();
  return createHash('sha256').update(id).digest('hex').slice(0, 8);
}
