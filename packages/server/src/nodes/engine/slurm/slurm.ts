import type { Placement } from '@walt/contract';
import { attempt, ExternalError, run, type StreamedProgram, streamProgram } from '../../../platform/index.ts';
import {
  type ClusterFacts,
  type HostSeen,
  JOB_FORMAT,
  type JobSeen,
  parseCluster,
  parseHosts,
  parseJobs,
} from './output.ts';
import { parseVolumeJobs, VOLUME_JOB, type VolumeJobSeen } from './volume-jobs-output.ts';

/** Milliseconds for Slurm's controller to answer: its programs try for some seconds by themselves. */
const LIMIT = 15_000;

/** MiB for what serves volumes on a host, and for what is run there for a moment. */
const VOLUMES_MEMORY = 256;
const MOMENT_MEMORY = 16;
/** MiB of a host that only keeps volumes, as Slurm is told: room for both, and for no machine (`memoryOf`). */
export const KEEPER_MEMORY = 384;

interface Options {
  /** slurm.conf(5). */
  config: string;
  partition: string;
  /** What jobs of ours are called, in front of the node's number. */
  prefix: string;
  /** A command line that runs with the host's network. */
  onHost(argv: readonly string[]): string[];
}

export interface Submission {
  id: number;
  script: string;
  /** Of the definition, as the script has it. */
  hash: string;
  /** MiB. */
  memory: number;
  cpuCores: number;
  place: Placement;
}

/** Slurm's programs on this machine (sbatch(1) and its like). All throw ExternalError when one refuses. */
export class Slurm {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  async facts(): Promise<ClusterFacts> {
    const argv = ['scontrol', 'show', 'config'];
    const text = await this.#run(argv);
    const facts = parseCluster(text);
    if (!facts)
      throw new ExternalError(argv, 0, `it does not tell all of the cluster: ${text.slice(0, 200)}`);
    return facts;
  }

  /** Of machines. */
  async jobs(): Promise<JobSeen[]> {
    return parseJobs(await this.#list(), this.#options.prefix);
  }

  /** Of what serves volumes. */
  async volumeJobs(): Promise<VolumeJobSeen[]> {
    return parseVolumeJobs(await this.#list(), this.#options.prefix);
  }

  /** Our own alone: others may call theirs by any name. */
  #list(): Promise<string> {
    return this.#run(['squeue', '--me', '--noheader', '--states=all', `--format=${JOB_FORMAT}`]);
  }

  async hosts(): Promise<HostSeen[]> {
    return parseHosts(await this.#run(['scontrol', '--oneliner', 'show', 'node']), this.#options.partition);
  }

  /**
   * `drain`: nothing begins there any more; `reason` is for whoever looks at the host. `resume`: the contrary. `down`: nothing runs there
   * any more, whatever the host says.
   */
  async setState(host: string, state: 'drain' | 'resume' | 'down', reason?: string): Promise<void> {
    const why = reason === undefined ? [] : [`reason=${reason}`];
    await this.#run(['scontrol', 'update', `nodename=${host}`, `state=${state}`, ...why]);
  }

  /** What the host is said to have. */
  async setFeatures(host: string, features: readonly string[]): Promise<void> {
    const all = features.join(',');
    await this.#run([
      ...['scontrol', 'update', `nodename=${host}`, `availablefeatures=${all}`, `activefeatures=${all}`],
    ]);
  }

  /** Forgets a host that came by itself; it comes again when its slurmd starts. False: something runs there. Idempotent. */
  async remove(host: string): Promise<boolean> {
    const argv = this.#options.onHost(['scontrol', 'delete', `nodename=${host}`]);
    const { stderr } = await attempt(argv, { env: this.#env, timeout: LIMIT });
    return !/busy/i.test(stderr);
  }

  /** Answers the number of the job. */
  async submit({ id, script, hash, memory, cpuCores, place }: Submission): Promise<number> {
    const name = this.#options.prefix + id;
    const printed = await this.#run(
      [
        ...['sbatch', '--parsable', `--job-name=${name}`, `--partition=${this.#options.partition}`],
        ...[`--mem=${memory}M`, `--cpus-per-task=${cpuCores}`, '--nodes=1', '--ntasks=1', '--time=0'],
        // Never twice, whoever else had the same thought.
        '--dependency=singleton',
        ...['--requeue', `--comment=${hash} ${hash} -`],
        ...(place.host === undefined ? [] : [`--nodelist=${place.host}`]),
        ...(place.features.length === 0 ? [] : [`--constraint=${place.features.join('&')}`]),
        ...['--chdir=/', '--input=/dev/null', '--output=/dev/null', '--export=PATH'],
      ],
      script,
    );
    return Number.parseInt(printed, 10);
  }

  /** What serves volumes on that host. Answers the number of the job. It is not given to the host again when that comes back. */
  async submitVolumes(host: string, { script, hash }: { script: string; hash: string }): Promise<number> {
    const name = this.#options.prefix + VOLUME_JOB + host;
    const printed = await this.#run(
      [
        ...['sbatch', '--parsable', `--job-name=${name}`, `--partition=${this.#options.partition}`],
        ...[`--mem=${VOLUMES_MEMORY}M`, '--cpus-per-task=1', '--nodes=1', '--ntasks=1', '--time=0'],
        `--nodelist=${host}`,
        ...['--dependency=singleton', '--no-requeue', `--comment=${hash} 0 0`],
        ...['--chdir=/', '--input=/dev/null', '--output=/dev/null', '--export=PATH'],
      ],
      script,
    );
    return Number.parseInt(printed, 10);
  }

  /** Runs a program on a host to its end. Throws ExternalError also where it does not begin within seconds. */
  async runOn(host: string, argv: readonly string[]): Promise<void> {
    await this.#run([
      ...['srun', `--partition=${this.#options.partition}`, `--nodelist=${host}`, '--nodes=1', '--ntasks=1'],
      ...[`--mem=${MOMENT_MEMORY}M`, '--immediate=10', '--chdir=/', '--export=PATH', '--quiet', ...argv],
    ]);
  }

  /** As if the plug of a running one was pulled, and put in again. */
  async signal(job: number): Promise<void> {
    await this.#run(['scancel', '--batch', '--signal=USR1', String(job)]);
  }

  /** Idempotent. */
  async cancel(jobs: readonly number[]): Promise<void> {
    if (jobs.length > 0) await this.#run(['scancel', ...jobs.map(String)]);
  }

  async comment(job: number, text: string): Promise<void> {
    await this.#run(['scontrol', 'update', `jobid=${job}`, `comment=${text}`]);
  }

  /** Runs a command beside a job, on its host. It ends with the job. */
  beside(job: number, argv: readonly string[]): StreamedProgram {
    const words = [
      'srun',
      `--jobid=${job}`,
      '--overlap',
      '--nodes=1',
      '--ntasks=1',
      '--mem=0',
      '--unbuffered',
      '--quiet',
    ];
    // srun(1) takes the step along when it is told to end.
    return streamProgram(this.#options.onHost([...words, ...argv]), {
      ...{ env: this.#env, stdin: 'pipe', accept: 'any', deathSignal: 'TERM' },
    });
  }

  get #env() {
    return { SLURM_CONF: this.#options.config };
  }

  async #run(argv: readonly string[], input = ''): Promise<string> {
    return await run(this.#options.onHost(argv), { env: this.#env, timeout: LIMIT, input });
  }
}
