/** What a machine tells of itself (host-program.sh), and what speaks against it as a host. Pure. */
import { UserError } from '../../../../platform/index.ts';
import { shown } from './host-words.ts';
import type { KnownHost } from './known-hosts.ts';

export interface HostFacts {
  /** Seconds since 1970, by its clock. */
  time: number;
  /** As `debian`, and `12`; `unknown`: none is told, as by what will be the next release. */
  os: string;
  release: string;
  kernel: string;
  /** As Debian names it, `amd64`. */
  architecture: string;
  /** MiB: all of it, and what is free on /var. */
  memory: number;
  space: number;
  /** Whose host it is: platform and name. */
  owner: { platform: string; name: string } | undefined;
  /** A Slurm that is not ours: files and programs. */
  others: readonly string[];
  /** Packages that a host needs and it has not; and those of them that no archive has, as far as it knows. */
  missing: readonly string[];
  lacking: readonly string[];
  /** Version of Slurm's package that it has or would get; undefined: none. */
  slurm: string | undefined;
  /** At which it would reach the server; undefined: not known yet. */
  address: string | undefined;
  /** Undefined: not known yet. */
  vxlan: boolean | undefined;
  ping: boolean | undefined;
  /** Whether it reaches the controller's port. */
  controller: boolean;
  /** MiB that copies of volumes may take, with what they have; and whether they lie on the disk of `space`. */
  copies: number;
  shared: boolean;
  /** Whether it has loop devices; undefined: not known yet. */
  loop: boolean | undefined;
}

/** Undefined: that is no such answer. What it says goes into sentences. */
export function parseFacts(text: string): HostFacts | undefined {
  const all = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-z]+) ?(.*)$/.exec(shown(line.trimEnd())) ?? [];
    if (name !== undefined && value !== undefined) all.set(name, [...(all.get(name) ?? []), value]);
  }
  const one = (name: string) => all.get(name)?.[0];
  const yes = (name: string) => ({ yes: true, no: false })[one(name) ?? ''];
  const [platform, name] = one('owner')?.split(' ') ?? [];
  const words = (name: string) => (one(name) ?? '').split(' ').filter((word) => word !== '');
  const numbers = {
    ...{ time: Number(one('time')), memory: Number(one('memory')) },
    ...{ space: Number(one('space')), copies: Number(one('copies')) },
  };
  const { os, release, kernel, architecture } = {
    ...{ os: one('os'), release: one('release'), kernel: one('kernel'), architecture: one('architecture') },
  };
  if (os === undefined || release === undefined || kernel === undefined || architecture === undefined)
    return undefined;
  if (!Object.values(numbers).every(Number.isFinite)) return undefined;
  return {
    ...numbers,
    ...{ os, release, kernel, architecture },
    owner: platform !== undefined && name !== undefined ? { platform, name } : undefined,
    others: all.get('other') ?? [],
    missing: words('missing'),
    lacking: words('lacking'),
    slurm: known(one('slurm')),
    address: known(one('address')),
    vxlan: yes('vxlan'),
    ping: yes('ping'),
    controller: yes('controller') ?? false,
    shared: yes('shared') ?? false,
    loop: yes('loop'),
  };
}

function known(word: string | undefined): string | undefined {
  return word === undefined || word === '' || word === 'unknown' ? undefined : word;
}

/** What it is compared with. */
export interface Wanted {
  name: string;
  url: string;
  /** Of the platform, and the address of its machine. */
  platform: string;
  server: string;
  /** Slurm of the controller, as `22.05.8`. */
  controller: string;
  /** Hosts that there are. */
  hosts: readonly KnownHost[];
  /** What it is to do. */
  nodes: boolean;
  volumes: boolean;
  /** Seconds since 1970: when it was asked, and when it had answered. */
  asked: number;
  answered: number;
}

/** Debian 12 is the first that has what virtual nodes need. */
const OLDEST_DEBIAN = 12;
/** Debian's names of CPUs that run virtual nodes. */
const ARCHITECTURES = ['amd64', 'arm64'];
/** MiB of memory that are too few for one node, or for what serves volumes; of disk for the packages, or for what a host writes. */
const LEAST_MEMORY = 1024;
const LEAST_MEMORY_FOR_VOLUMES = 512;
const PACKAGES_SPACE = 1500;
const LEAST_SPACE = 200;
/** MiB of disk that copies leave free (`RESERVE` of serve-volumes.sh), and those that a few images take. */
const COPIES_RESERVE = 1024;
const COPIES_SPACE = 1024;
/** Seconds: Slurm's credentials end after 10 here. */
const MAX_SKEW = 4;

/** Why that machine cannot be the host; undefined: it can, as far as is known. */
export function whyUnfit(facts: HostFacts, wanted: Wanted): UserError | undefined {
  for (const check of [
    ...[whyTaken, whyNoDebian, whyOtherSlurm, whyNoPackage, whyNoRoom, whyNoCopies, whyClock, whyOffNetwork],
  ]) {
    const why = check(facts, wanted);
    if (why) return new UserError(why.code ?? 'UNAVAILABLE', `${wanted.name}: ${why.message}`, why.hint);
  }
  return undefined;
}

interface Why {
  code?: 'CONFLICT';
  message: string;
  hint: string;
}

type Check = (facts: HostFacts, wanted: Wanted) => Why | undefined;

const whyTaken: Check = ({ owner, address }, { name, url, platform, server, hosts }) => {
  const conflict = (message: string, hint: string): Why => ({ code: 'CONFLICT', message, hint });
  if (owner && owner.platform !== platform) {
    return conflict(
      'that machine is a host of another platform.',
      `Remove it there: walt-server host remove ${owner.name}. Where that platform is gone, say on the machine: sh /var/lib/walt-host/undo`,
    );
  }
  if (owner && owner.name !== name)
    return conflict(`that machine is the host ${owner.name} already.`, 'One machine is one host.');
  const same = hosts.find((host) => host.name === name);
  if (same && same.url !== url && !owner)
    return conflict(
      `there is a host of that name, at ${same.url}.`,
      'Take another name, or remove it first.',
    );
  const neighbour = hosts.find((host) => host.name !== name && host.address === address);
  if (neighbour) {
    return conflict(
      `its address towards this machine, ${address}, is that of the host ${neighbour.name}.`,
      'Each host needs an address of its own: see what is between them and this machine (NAT?).',
    );
  }
  if (address === server)
    return conflict('that is this machine itself.', 'The server runs no virtual nodes where hosts do.');
  return undefined;
};

const whyNoDebian: Check = ({ os, release, architecture }) => {
  const hint = `Hosts are Debian ${OLDEST_DEBIAN} or newer, on ${ARCHITECTURES.join(' or ')}.`;
  if (os !== 'debian') return { message: `it is no Debian (${os} ${release}).`, hint };
  if (Number.parseInt(release, 10) < OLDEST_DEBIAN) return { message: `it is Debian ${release}.`, hint };
  return ARCHITECTURES.includes(architecture) ? undefined : { message: `its CPU is ${architecture}.`, hint };
};

const whyNoPackage: Check = ({ lacking }) => {
  if (lacking.length === 0) return undefined;
  return {
    message: `its package lists do not have ${lacking.join(', ')}.`,
    hint: 'Let /etc/apt name a Debian archive, then say there: apt-get update',
  };
};

const whyOtherSlurm: Check = ({ others, slurm }, { controller }) => {
  if (others.length > 0) {
    return {
      message: `it has a Slurm of its own: ${others.join(', ')}.`,
      hint: 'Use that cluster as it is (walt help show hosts: an existing cluster), or remove it there first.',
    };
  }
  // It is among the packages that no archive has.
  if (slurm === undefined) return undefined;
  const [host, server] = [releaseOf(slurm), releaseOf(controller)];
  if (host <= server && server - host <= MAX_BEHIND) return undefined;
  return {
    message: `its Slurm would be ${slurm}, and the controller's on this machine is ${controller}.`,
    hint: 'Hosts may be older by two releases at most, and not newer: use the same release of Debian.',
  };
};

/** Months: Slurm has two releases a year, and understands two older ones. */
const MAX_BEHIND = 18;

/** Months, of `22.05.8-4` or the like. */
function releaseOf(version: string): number {
  const [year = 0, month = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return year * 12 + month;
}

const whyNoRoom: Check = ({ memory, space, missing }, { nodes }) => {
  if (memory < (nodes ? LEAST_MEMORY : LEAST_MEMORY_FOR_VOLUMES)) {
    return {
      message: `it has ${memory} MiB of memory.`,
      hint: nodes
        ? `A host needs ${LEAST_MEMORY} MiB, and as much as its nodes have.`
        : `To keep volumes, it needs ${LEAST_MEMORY_FOR_VOLUMES} MiB.`,
    };
  }
  const least = missing.length > 0 ? PACKAGES_SPACE : LEAST_SPACE;
  if (space >= least) return undefined;
  return { message: `${space} MiB are free on /var.`, hint: `Make room there: it needs ${least} MiB.` };
};

const whyNoCopies: Check = ({ copies, shared, missing, loop, kernel }, { volumes }) => {
  if (!volumes) return undefined;
  if (loop === false) {
    return {
      message: `its kernel (${kernel}) makes no loop devices, on which copies of volumes lie.`,
      hint: 'Say there: modprobe loop. In a container, let it have /dev/loop-control and loop devices.',
    };
  }
  const packages = shared && missing.length > 0 ? PACKAGES_SPACE : 0;
  const least = packages + COPIES_RESERVE + COPIES_SPACE;
  if (copies >= least) return undefined;
  const forPackages = packages > 0 ? `, and ${packages} are for packages` : '';
  return {
    message: `${copies} MiB are free on /var/cache for copies of volumes.`,
    hint: `Make room there: it needs ${least} MiB, of which ${COPIES_RESERVE} stay free${forPackages}.`,
  };
};

const whyClock: Check = ({ time }, { asked, answered }) => {
  const behind = asked - time;
  const ahead = time - answered;
  if (behind <= MAX_SKEW && ahead <= MAX_SKEW) return undefined;
  const how = behind > 0 ? `${Math.round(behind)} s behind` : `${Math.round(ahead)} s ahead of`;
  return {
    message: `its clock is ${how} this machine's.`,
    hint: 'Let both follow the same time server, as by the package systemd-timesyncd or chrony.',
  };
};

const whyOffNetwork: Check = ({ vxlan, ping, controller, kernel }, { server }) => {
  if (vxlan === false) {
    return {
      message: `its kernel (${kernel}) makes no VXLAN devices.`,
      hint: "Start it with Debian's own kernel: apt-get install linux-image-amd64, or -arm64, and reboot.",
    };
  }
  if (ping === false) {
    return {
      message: `${server} does not answer its ping.`,
      hint: 'slurm.address must be an address of this machine that hosts reach; let ICMP echo pass.',
    };
  }
  if (controller) return undefined;
  return {
    message: `it does not reach TCP port 6817 of ${server}.`,
    hint: 'slurm.address must be an address of this machine that hosts reach; let that port pass.',
  };
};
