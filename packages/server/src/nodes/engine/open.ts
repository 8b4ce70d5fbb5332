import { rm } from 'node:fs/promises';
import type { Network } from '../../network/index.ts';
import {
  type Config,
  isExternalError,
  type Log,
  type Paths,
  type Programs,
  readIfPresent,
  type SlurmConfig,
  UserError,
  writeFileAtomic,
} from '../../platform/index.ts';
import type { KeepConsole } from '../consoles/index.ts';
import type { Accelerator } from '../virtual/index.ts';
import type { Engine } from './engine.ts';
import { isMachine, LocalEngine } from './local.ts';
import {
  endCluster,
  endJobs,
  openSlurmEngine,
  restartController,
  startCluster,
  untilAnswers,
  type VolumeJobsDeps,
} from './slurm/index.ts';

interface Deps {
  config: Pick<Config, 'engine' | 'slurm'>;
  programs: Programs;
  network: Network;
  paths: Paths;
  accelerator: Accelerator;
  /** A command line that runs with the host's network instead of walt-net's. */
  onHost(argv: readonly string[]): string[];
  volumeServers: VolumeJobsDeps['servers'];
  keepConsole: KeepConsole;
  log: Log;
}

/** The engine that server.conf names. What another one runs, as it was named before, ends first: no machine is there twice. */
export async function openEngine(deps: Deps): Promise<Engine> {
  const { config, programs, paths, log } = deps;
  const { slurm } = config;
  if (config.engine === 'local' || !slurm) {
    await endEarlierJobs(deps);
    return await LocalEngine.open(deps);
  }
  const noted = await readIfPresent(paths.slurmPlace);
  if (noted !== undefined && JSON.parse(noted).config !== slurm.config) await endEarlierJobs(deps);
  const local = (await programs.recorded()).filter(isMachine);
  if (local.length > 0)
    log.info('machines leave the server: hosts run them from now on', { count: local.length });
  await Promise.all(local.map((name) => programs.stop(name)));
  await writeFileAtomic(paths.slurmPlace, JSON.stringify(slurm), 0o600);
  const own = slurm.own ? { ...deps, config: slurm } : undefined;
  if (own) await startCluster(own);
  const restart = own && (() => restartController(own));
  return await openSlurmEngine({ ...deps, config: slurm, restartController: restart });
}

/** Throws UserError UNAVAILABLE where machines may still run on hosts. */
async function endEarlierJobs(deps: Deps): Promise<void> {
  const { paths, network, onHost } = deps;
  const noted = await readIfPresent(paths.slurmPlace);
  if (noted === undefined) return;
  const earlier: SlurmConfig = JSON.parse(noted);
  try {
    if (earlier.own) {
      await startCluster({ ...deps, config: earlier });
      await untilAnswers({ config: earlier, onHost });
    }
    await endJobs(earlier, paths, onHost);
    await network.setTunnels([], { address: earlier.address, port: earlier.vxlanPort });
  } catch (error) {
    if (!isExternalError(error)) throw error;
    throw new UserError(
      'UNAVAILABLE',
      `Virtual nodes may still run on hosts of Slurm, which does not answer: ${error.message}`,
      `Bring it back, then start again. Where that cluster is gone for good, delete ${paths.slurmPlace}.`,
    );
  }
  if (earlier.own) await endCluster(deps.programs, paths);
  await rm(paths.slurmPlace);
}
