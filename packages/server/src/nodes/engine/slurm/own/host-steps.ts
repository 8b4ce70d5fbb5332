/** What is run on a machine that is, or was, to be a host: host-facts.sh and host-program.sh with their variables. */
import { readFile } from 'node:fs/promises';
import { type Paths, projectFile } from '../../../../platform/index.ts';
import { KEEPER_MEMORY } from '../slurm.ts';
import type { HostPlan } from './host-plan.ts';
import { quoted } from './host-session.ts';
import { clusterRun } from './slurm-conf.ts';

/** Debian's packages: Slurm's and what jobs need to be on walt-net; what run-machine.sh asks for; and serve-volumes.sh. */
const PACKAGES = ['slurmd', 'slurm-client', 'munge', 'nftables', 'iproute2', 'iputils-ping', 'procps'];
const FOR_NODES = ['qemu-system-x86', 'ipxe-qemu', 'qemu-system-arm', 'u-boot-qemu', 'socat'];
const FOR_VOLUMES = ['nfs-ganesha', 'nfs-ganesha-vfs', 'curl', 'e2fsprogs', 'mount'];
/** What such packages, and those that come with them, start: an NFS server for everybody. */
const SERVICES = [
  ...['nfs-ganesha:nfs-ganesha.service', 'nfs-ganesha:nfs-ganesha-lock.service'],
  ...['rpcbind:rpcbind.service', 'rpcbind:rpcbind.socket'],
];

export interface HostPlace {
  platform: string;
  name: string;
  /** Address of the server's machine. */
  server: string;
}

/** What a session begins with. */
export async function hostScript(
  { platform, name, server }: HostPlace,
  { nodes, volumes }: Pick<HostPlan, 'nodes' | 'volumes'>,
): Promise<string> {
  const packages = [...PACKAGES, ...(nodes ? FOR_NODES : []), ...(volumes ? FOR_VOLUMES : [])];
  const variables = {
    ...{ platform, name, server, run: clusterRun(platform) },
    ...{ packages: packages.join(' '), services: SERVICES.join(' ') },
  };
  return `${assigned(variables)}\n${await hostProgram()}`;
}

/** Before `start`. */
export async function startVariables(
  { clusterKey }: Pick<Paths, 'clusterKey'>,
  { nodes }: Pick<HostPlan, 'nodes'>,
  features: readonly string[],
): Promise<string> {
  const key = (await readFile(clusterKey)).toString('base64');
  // Slurm itself then gives it nothing else.
  const memory = nodes ? '' : String(KEEPER_MEMORY);
  return assigned({ key, memory, features: features.join(','), program: await hostProgram() });
}

async function hostProgram(): Promise<string> {
  const folder = 'packages/server/src/nodes/engine/slurm/own';
  const files = ['host-facts.sh', 'host-program.sh'].map((name) => projectFile(`${folder}/${name}`));
  return (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
}

function assigned(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join('\n');
}
