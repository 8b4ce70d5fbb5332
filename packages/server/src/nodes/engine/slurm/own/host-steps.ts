/** What is run on a machine that is, or was, to be a host: host-program.sh with its variables. */
import { readFile } from 'node:fs/promises';
import { type Paths, projectFile } from '../../../../platform/index.ts';
import { quoted } from './host-session.ts';
import { clusterRun } from './slurm-conf.ts';

/** Debian's packages that a host needs: Slurm's, and those that run-machine.sh asks for. */
const PACKAGES = [
  ...['slurmd', 'slurm-client', 'munge', 'qemu-system-x86', 'ipxe-qemu', 'qemu-system-arm', 'u-boot-qemu'],
  ...['nftables', 'iproute2', 'iputils-ping', 'socat', 'procps'],
];

export interface HostPlace {
  platform: string;
  name: string;
  /** Address of the server's machine. */
  server: string;
}

/** What a session begins with. */
export async function hostScript({ platform, name, server }: HostPlace): Promise<string> {
  const variables = { platform, name, server, packages: PACKAGES.join(' '), run: clusterRun(platform) };
  return `${assigned(variables)}\n${await hostProgram()}`;
}

/** Before `start`. */
export async function startVariables(
  { clusterKey }: Pick<Paths, 'clusterKey'>,
  features: readonly string[],
): Promise<string> {
  const key = (await readFile(clusterKey)).toString('base64');
  return assigned({ key, features: features.join(','), program: await hostProgram() });
}

function hostProgram(): Promise<string> {
  return readFile(projectFile('packages/server/src/nodes/engine/slurm/own/host-program.sh'), 'utf8');
}

function assigned(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join('\n');
}
