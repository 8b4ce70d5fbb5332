/** What Slurm's programs print (22.05 and later), as data. Pure. Text, since the form of their JSON changes between releases. */

/** What a job of ours is just now. */
export interface JobSeen {
  job: number;
  /** Number of the node. */
  id: number;
  /** As `RUNNING`, `PENDING`, `CANCELLED`. */
  state: string;
  /** `lives`: it holds its machine, or will start it by itself. */
  phase: 'lives' | 'ends' | 'over';
  /** Null: none yet. */
  host: string | null;
  /** Why it waits, as `Resources`; `None`. */
  reason: string;
  /** What it is, as its definition's hash; and what its machine is to be when it starts the next time. Empty: unknown. */
  hash: string;
  next: string;
  /** Tells one power cycle from the next; `-`: none has begun. */
  cycle: string;
  /** What keeps it from running, in words of the job itself. */
  failure: string;
}

/** Of `squeue --format`; the job's name cannot hold the separator, and its comment comes last. */
export const JOB_FORMAT = '%i|%j|%T|%N|%r|%k';

/** States in which a job holds its machine, or will start it by itself (squeue(1), "JOB STATE CODES"). */
const ALIVE = new Set([
  ...['CONFIGURING', 'PENDING', 'REQUEUED', 'REQUEUE_HOLD', 'REQUEUE_FED', 'RESV_DEL_HOLD'],
  ...['RUNNING', 'SIGNALING', 'SPECIAL_EXIT', 'STAGE_OUT', 'STOPPED', 'SUSPENDED', 'RESIZING'],
]);

export function phaseOf(state: string): JobSeen['phase'] {
  return ALIVE.has(state) ? 'lives' : state === 'COMPLETING' ? 'ends' : 'over';
}

/** Jobs of a platform's machines, those too that ended lately, in the order of their numbers. */
export function parseJobs(text: string, prefix: string): JobSeen[] {
  return text
    .split('\n')
    .flatMap((line): JobSeen[] => {
      const [job = '', name = '', state = '', host = '', reason = '', ...comment] = line.split('|');
      const id = name.startsWith(prefix) ? name.slice(prefix.length) : '';
      if (!/^\d+$/.test(job) || !/^\d+$/.test(id)) return [];
      const [hash = '', next = '', cycle = '-', ...failure] = comment.join('|').split(' ');
      return [
        {
          ...{ job: Number(job), id: Number(id), state, phase: phaseOf(state), host: host || null, reason },
          ...{ hash: hash === '(null)' ? '' : hash, next, cycle, failure: failure.join(' ') },
        },
      ];
    })
    .sort((one, other) => one.job - other.job);
}

/** Tells a power cycle from the next; also from none. */
export function cycleOf(seen: JobSeen | undefined): string {
  return seen?.state === 'RUNNING' ? `${seen.job} ${seen.cycle}` : 'waits';
}

/** Whether it is of that definition, or makes room for one when its machine ends. */
export function isAs({ state, hash, next }: JobSeen, wanted: string): boolean {
  return (state === 'RUNNING' ? next : hash) === wanted;
}

export interface HostSeen {
  name: string;
  /** Where it is reached: an address, or a name. */
  address: string;
  /** As `IDLE`, `MIXED`, `DOWN`, `DRAIN`, several at a time; `NOT_RESPONDING` and others too. */
  states: readonly string[];
  /** MiB that jobs may have. */
  memory: number;
  cpus: number;
  features: readonly string[];
  /** Why it is not used; null: it is, or nobody said. */
  reason: string | null;
}

/** Of `scontrol --oneliner show node`: the hosts of a partition. */
export function parseHosts(text: string, partition: string): HostSeen[] {
  return text
    .split('\n')
    .map(fieldsOf)
    .filter((fields) => words(fields.get('Partitions')).includes(partition))
    .map((fields) => ({
      name: fields.get('NodeName') ?? '',
      address: fields.get('NodeAddr') ?? '',
      states: (fields.get('State') ?? '').split('+'),
      memory: Number(fields.get('RealMemory')),
      cpus: Number(fields.get('CPUTot')),
      features: words(fields.get('ActiveFeatures')),
      reason: fields.get('Reason')?.replace(/ \[\S+@\S+\]$/, '') ?? null,
    }))
    .filter(({ name }) => name !== '');
}

/** `NAME=VALUE NAME=VALUE`: values may have blanks, names have none and begin with a capital. */
function fieldsOf(line: string): Map<string, string> {
  const parts = line.split(/(?:^|\s+)([A-Z][A-Za-z:/]*)=/).slice(1);
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < parts.length; at += 2)
    pairs.push([parts[at] ?? '', (parts[at + 1] ?? '').trim()]);
  return new Map(pairs);
}

function words(list: string | undefined): string[] {
  return list === undefined || list === '(null)' ? [] : list.split(',').filter((word) => word !== '');
}

export interface ClusterFacts {
  version: string;
  controllers: readonly string[];
  slurmdTimeout: number;
  slurmdPidFile: string;
}

/** Of `scontrol show config`. Undefined: something is missing. */
export function parseCluster(text: string): ClusterFacts | undefined {
  const fields = new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const [, name, value] = /^(\S+)\s*= (.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value.trim()]];
    }),
  );
  const controllers = [...fields]
    .filter(([name]) => name.startsWith('SlurmctldHost['))
    // As `name` or `name(address)`.
    .map(([, value]) => /\((.+)\)$/.exec(value)?.[1] ?? value);
  const slurmdTimeout = Number.parseInt(fields.get('SlurmdTimeout') ?? '', 10);
  const version = fields.get('SLURM_VERSION') ?? '';
  const slurmdPidFile = fields.get('SlurmdPidFile') ?? '';
  if (controllers.length === 0 || !Number.isInteger(slurmdTimeout) || slurmdPidFile === '') return undefined;
  return { version, controllers, slurmdTimeout, slurmdPidFile };
}
