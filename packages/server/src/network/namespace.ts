import { stat } from 'node:fs/promises';
import { type Config, hasErrno, hostNamespace, namespaceFile, UserError } from '../platform/index.ts';
import { ip, type Link, links, requireIp } from './ip.ts';

type NamespaceConfig = { state: string; network: Pick<Config['network'], 'namespace'> };

/** The alias of `lo` inside a namespace tells whose it is, and goes with it. The kernel takes 255 bytes (IFALIASZ). */
const MARK = 'walt:';

/**
 * Makes the platform's network namespace, and gives the one that we are in a name (`NS-host`). Idempotent; to be called from
 * the host's side.
 * Throws UserError: CONFLICT when the namespace is another platform's or nobody's, UNAVAILABLE or FORBIDDEN when the machine
 * cannot have one.
 */
export async function ensureNamespace(config: NamespaceConfig): Promise<void> {
  await requireMachine();
  const { namespace } = config.network;
  if (await sameNamespace(namespaceFile(namespace), '/proc/self/ns/net')) return; // already inside
  if (await exists(namespaceFile(namespace))) refuseForeign(config, await links(namespace));
  else await ip('netns', 'add', namespace);
  await ip('-netns', namespace, 'link', 'set', 'lo', 'alias', mark(config));
  await ip('-netns', namespace, 'link', 'set', 'lo', 'up');
  await nameHost(hostNamespace(config));
}

/** Takes both names away; the namespace itself ends with the last process in it. Idempotent. */
export async function removeNamespace(config: NamespaceConfig): Promise<void> {
  await requireMachine();
  const { namespace } = config.network;
  if (await exists(namespaceFile(namespace))) {
    refuseForeign(config, await links(namespace));
    await ip('netns', 'delete', namespace);
  }
  const host = hostNamespace(config);
  if (await exists(namespaceFile(host))) await ip('netns', 'delete', host);
}

async function requireMachine(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new UserError(
      'FORBIDDEN',
      'The platform needs root: it makes a network namespace, containers and virtual machines.',
      'Repeat the command with sudo.',
    );
  }
  await requireIp();
  if (!(await exists('/dev/net/tun'))) {
    throw new UserError(
      'UNAVAILABLE',
      'This machine has no /dev/net/tun, through which virtual nodes reach the network.',
      'Run "modprobe tun"; in a container, start it with that device.',
    );
  }
}

/** Throws CONFLICT unless the namespace is ours, or as empty as a start leaves it that was killed half-way. */
function refuseForeign(config: NamespaceConfig, found: readonly Link[]): void {
  const { namespace } = config.network;
  const loopback = found.find((link) => link.ifname === 'lo');
  const alias = loopback?.ifalias;
  if (alias === mark(config)) return;
  if (alias?.startsWith(MARK)) {
    throw new UserError(
      'CONFLICT',
      `The network namespace "${namespace}" belongs to the platform in ${alias.slice(MARK.length)}, not to the one in ${config.state}.`,
      'Set another network.namespace in the configuration, or clean the other platform up first.',
    );
  }
  const untouched = found.every((link) => link.ifname === 'lo' && !link.flags.includes('UP'));
  if (untouched) return;
  throw new UserError(
    'CONFLICT',
    `The network namespace "${namespace}" exists, but is not the one of the platform in ${config.state}.`,
    `Set another network.namespace in the configuration, or remove it with "ip netns delete ${namespace}".`,
  );
}

function mark(config: NamespaceConfig): string {
  return Buffer.from(MARK + config.state)
    .subarray(0, 255)
    .toString();
}

async function nameHost(name: string): Promise<void> {
  const file = namespaceFile(name);
  if (await sameNamespace(file, '/proc/self/ns/net')) return;
  // Left by a platform of an earlier life of this machine or container.
  if (await exists(file)) await ip('netns', 'delete', name);
  await ip('netns', 'attach', name, String(process.pid));
}

/** True when both files stand for the same network namespace (namespaces(7): same device and inode). */
async function sameNamespace(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([statIfPresent(one), statIfPresent(other)]);
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

async function exists(path: string): Promise<boolean> {
  return (await statIfPresent(path)) !== undefined;
}

async function statIfPresent(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
