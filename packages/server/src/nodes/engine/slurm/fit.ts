/** Which hosts can run a machine, and what is told where none does. Pure. */
import { type DiskSpec, type NetworkSpec, NO_VALUE, type Placement, WALT_NET } from '@walt/contract';
import { UserError } from '../../../platform/index.ts';
import { runsNodes } from './features.ts';
import type { HostSeen, JobSeen } from './output.ts';

/** MiB that QEMU takes beside the machine's memory: 256 are translated code, where there is no KVM. */
const OVERHEAD = 384;

/** MiB that a machine takes of its host. */
export function memoryOf({ ramMiB }: { ramMiB: number }): number {
  return ramMiB + OVERHEAD;
}

/** Throws UserError INVALID unless there is a host, in use or not, on which such a machine could run. */
export function requireFit(
  all: readonly HostSeen[],
  partition: string,
  { ramMiB, cpuCores, place }: { ramMiB: number; cpuCores: number; place: Placement },
): void {
  const hosts = all.filter(runsNodes);
  const named = all.find(({ name }) => name === place.host);
  if (named && !runsNodes(named)) {
    throw new UserError(
      'INVALID',
      `The host ${named.name} keeps volumes, and runs no nodes.`,
      `To mount volumes from there, say volumes.from=${named.name} instead. Nothing was changed.`,
    );
  }
  if (hosts.length === 0) {
    throw new UserError(
      'UNAVAILABLE',
      `Slurm's partition ${partition} has no hosts that run virtual nodes.`,
      'Ask the administrator to add one, or to see what is wrong: walt-server host list',
    );
  }
  const chosen = hosts.filter((host) => suits(host, place));
  if (chosen.length === 0) {
    throw new UserError(
      'INVALID',
      place.host === undefined
        ? `No host has ${place.features.join(' and ')}.`
        : `There is no host "${place.host}".`,
      `There are ${hosts.map(described).join(', ')}. Nothing was changed.`,
    );
  }
  const [largest] = chosen.toSorted((one, other) => other.memory - one.memory);
  if (largest && largest.memory < memoryOf({ ramMiB })) {
    throw new UserError(
      'INVALID',
      `No host that it may run on has ${memoryOf({ ramMiB })} MiB of memory, which ${ramMiB} MiB need with QEMU: ` +
        `${largest.name} has the most, ${largest.memory} MiB.`,
      'Ask for less. Nothing was changed.',
    );
  }
  const [widest] = chosen.toSorted((one, other) => other.cpus - one.cpus);
  if (widest && widest.cpus < cpuCores) {
    throw new UserError(
      'INVALID',
      `No host that it may run on has ${cpuCores} CPU cores: ${widest.name} has the most, ${widest.cpus}.`,
      'Ask for less. Nothing was changed.',
    );
  }
}

/** Throws UserError UNAVAILABLE for what only a machine on the server itself can have. */
export function requireSimple({ networks }: { networks: readonly NetworkSpec[] }): void {
  const [first, ...others] = networks;
  if (others.length === 0 && first?.bandwidth === undefined && first?.latency === undefined) return;
  throw new UserError(
    'UNAVAILABLE',
    'Virtual nodes on hosts of Slurm are on walt-net alone, and it is as fast for them as it can be.',
    `Say networks=${WALT_NET}. Nothing was changed.`,
  );
}

/** As `requireSimple`. */
export function requireNone(disks: readonly DiskSpec[]): void {
  if (disks.length === 0) return;
  throw new UserError(
    'UNAVAILABLE',
    'Virtual nodes on hosts of Slurm have no disks: what is on one could not follow them to another host.',
    `Say disks=${NO_VALUE}, and keep what must last in /persist. Nothing was changed.`,
  );
}

function suits({ name, features }: HostSeen, place: Placement): boolean {
  return (
    (place.host === undefined || place.host === name) && place.features.every((one) => features.includes(one))
  );
}

function described({ name, features }: HostSeen): string {
  return features.length === 0 ? name : `${name} (${features.join(', ')})`;
}

const OUT_OF_USE =
  /^(?:DOWN|DRAIN|DRAINED|DRAINING|FAIL|FAILING|MAINT\w*|NOT_RESPONDING|NO_RESPOND|POWERED_DOWN|UNKNOWN|FUTURE)\*?$/;

/** Whether jobs may begin there. */
export function isInUse({ states }: HostSeen): boolean {
  return !states.some((state) => OUT_OF_USE.test(state) || state.endsWith('*'));
}

/**
 * Whether it can be resumed: Slurm refuses that for one that nobody took out of use. After it was resumed, it is silent until it has
 * answered, for some milliseconds.
 */
export function isOut({ states }: HostSeen): boolean {
  const silent = /^(?:NOT_RESPONDING|NO_RESPOND)$/;
  return states.map((state) => state.replace(/\*$/, '')).some((s) => OUT_OF_USE.test(s) && !silent.test(s));
}

/** Whether it is to be empty, though what it runs goes on. */
export function isDrained({ states }: HostSeen): boolean {
  return states.some((state) => /^DRAIN/.test(state));
}

function isSilent({ states }: HostSeen): boolean {
  return states.some((state) => /^(?:DOWN|NOT_RESPONDING|NO_RESPOND)\*?$/.test(state) || state.endsWith('*'));
}

/** Whether it waits until somebody lets it go. */
export function isHeld({ state, reason }: Pick<JobSeen, 'state' | 'reason'>): boolean {
  return /^JobHeld|held/i.test(reason) || state.includes('HOLD');
}

export interface Words {
  message: string;
  hint: string;
}

/** What keeps a machine from running, or may end it; undefined: nothing. `name`: of the node. */
export function troubleOf(
  name: string,
  { job, state, host, reason, failure }: JobSeen,
  hosts: readonly HostSeen[],
): Words | undefined {
  if (failure !== '') {
    return {
      message: `${name} cannot run on ${failure}`,
      hint: `Mend that on the host, then: walt node reboot --hard ${name}`,
    };
  }
  const seen = hosts.find((one) => one.name === host);
  if (state === 'RUNNING') {
    if (!seen || !isSilent(seen)) return undefined;
    return {
      message: `${host}, the host of ${name}, does not answer.`,
      hint: 'When it stays so, the node boots on another host by itself.',
    };
  }
  if (state === 'SUSPENDED' || state === 'STOPPED') {
    return {
      message: `Somebody suspended the machine of ${name} on ${host}, which is Slurm's job ${job}.`,
      hint: `Ask the administrator: scontrol resume ${job}`,
    };
  }
  if (isHeld({ state, reason })) {
    return {
      message: `The machine of ${name} is Slurm's job ${job}, which somebody holds in its queue.`,
      hint: `Ask the administrator: scontrol release ${job}`,
    };
  }
  // These are over within a moment.
  if (/^(?:None|BeginTime|Dependency|Priority|Cleaning)$/.test(reason)) return undefined;
  const unused = hosts.filter((one) => runsNodes(one) && !isInUse(one));
  const why = unused.map((one) => `${one.name} ${stateWords(one)}`).join(', ');
  return {
    message: `${name} waits for a host (${reason})${why === '' ? '.' : `: ${why}.`}`,
    hint:
      reason === 'Resources'
        ? 'It starts as soon as another node leaves it room. More hosts, or smaller nodes, help.'
        : `Ask the administrator: scontrol show job ${job}`,
  };
}

function stateWords(host: HostSeen): string {
  const word = isDrained(host) ? 'is drained' : isSilent(host) ? 'is down' : 'is not used';
  return host.reason === null ? word : `${word} (${host.reason})`;
}

/** What is told of a machine that does not run, while the controller does not answer. */
export function awayWords(name: string, failure: string): Words {
  return {
    message: `Slurm's controller does not answer, so ${name} cannot be started: ${failure}`,
    hint: 'Nodes that run go on. Ask the administrator: scontrol ping',
  };
}

/** What users are told when Slurm refuses a machine. */
export function refusalOf(output: string, partition: string): UserError {
  const [line = ''] = output
    .split('\n')
    .map((text) => text.replace(/^\S+: error: /, ''))
    .filter((text) => text !== '')
    .slice(-1);
  const hint = /partition/i.test(line)
    ? `Ask the administrator: scontrol show partition ${partition}`
    : /constraint|feature|node|memory|CPU/i.test(line)
      ? 'See what its host must have: walt node config NODE'
      : 'Ask the administrator: sinfo';
  return new UserError('UNAVAILABLE', `Slurm does not take the node's machine: ${line}`, hint);
}
