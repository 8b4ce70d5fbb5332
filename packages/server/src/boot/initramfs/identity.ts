import { createHash } from 'node:crypto';
import type { LentFile } from '../boot-files.ts';
import { checkTarget } from '../checked.ts';
import type { BootTarget } from '../directory.ts';
import { TOOLS } from '../lent-paths.ts';
import { environmentFile, environmentOf } from '../walt-images/index.ts';
import type { CpioEntry } from './cpio.ts';

/** One file of the identity layer, as an absolute path without its leading slash. */
export interface IdentityFile {
  path: string;
  mode: number;
  content: string;
}

const line = (text: string) => `${text.trimEnd()}\n`;

const FILES: readonly { path: string; mode?: number; content: (target: BootTarget) => string }[] = [
  { path: 'etc/hostname', content: ({ name }) => line(name) },
  {
    path: 'etc/hosts',
    content: ({ ip, name, server }) =>
      `127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n${ip} ${name}.walt ${name}\n${server} server.walt walt-server\n`,
  },
  { path: 'etc/resolv.conf', content: ({ server }) => `nameserver ${server}\nsearch walt\n` },
  { path: 'etc/machine-id', content: (target) => line(machineId(target)) },
  // The initramfs gave this adapter its address, and the root hangs on it: whoever manages networks must leave it alone.
  {
    path: 'etc/systemd/network/00-walt.network',
    content: ({ mac }) => `[Match]\nMACAddress=${mac}\n\n[Link]\nUnmanaged=yes\n`,
  },
  {
    path: 'etc/NetworkManager/conf.d/00-walt.conf',
    content: ({ mac }) => `[keyfile]\nunmanaged-devices=mac:${mac}\n`,
  },
  { path: 'etc/walt/env', content: (target) => environmentFile(environment(target)) },
  // By which the node proves to the server which one it is.
  { path: 'etc/walt/token', mode: 0o600, content: ({ token }) => line(token) },
  { path: 'etc/walt/ssh/host_key', mode: 0o600, content: ({ identity }) => line(identity.hostKey) },
  { path: 'etc/walt/ssh/host_key-cert.pub', content: ({ identity }) => line(identity.hostCertificate) },
  { path: 'etc/walt/ssh/user_ca.pub', content: ({ identity }) => line(identity.userCa) },
  { path: 'etc/walt/ssh/principals', content: ({ identity }) => line(identity.principal) },
];

/** Where each node has files of its own. */
export const IDENTITY_PATHS: readonly string[] = FILES.map(({ path }) => path);

/** Everything in a node's root that differs from node to node, apart from what users change. */
export function identityFiles(target: BootTarget): IdentityFile[] {
  const checked = checkTarget(target);
  return FILES.map(({ path, mode = 0o644, content }) => ({ path, mode, content: content(checked) }));
}

/** What scripts on the node may know. */
function environment(target: BootTarget): Record<string, string> {
  return {
    ...environmentOf(target),
    walt_boot_mode: 'network',
    walt_node_type: target.isVirtual ? 'virtual' : 'physical',
    walt_logs: target.logs.join(','),
  };
}

/**
 * The same at each boot, different on each node (machine-id(5)): 32 hexadecimal digits. systemd takes a missing file for
 * the first boot of a new installation, and an empty one costs it a mount.
 */
function machineId({ nodeId, mac }: BootTarget): string {
  return createHash('sha256').update(`walt machine-id ${nodeId} ${mac}`).digest('hex').slice(0, 32);
}

/** The identity layer as a tree, with what the image lacks; parents before children, folders 755 unless said. */
export function identityTree(target: BootTarget, lent: readonly LentFile[] = []): CpioEntry[] {
  const files = identityFiles(target);
  const modes = new Map(lent.flatMap((one) => (one.type === 'folder' ? [[one.path, one.mode]] : [])));
  const folders = new Set([...foldersOf([...files, ...lent]), ...modes.keys()]);
  const entry = (one: LentFile): CpioEntry =>
    one.type === 'file' ? { ...one, content: Buffer.from(one.content) } : one;
  return [
    ...[...folders]
      .sort()
      .map((path): CpioEntry => ({ path, type: 'folder', mode: modes.get(path) ?? 0o755 })),
    ...files.map((file) => entry({ type: 'file', ...file })),
    ...lent.filter(({ type }) => type !== 'folder').map(entry),
  ];
}

/** Mount points, and where the initramfs puts what the platform's programs run by. */
const PLACES = ['persist', ...parentsOf(`${TOOLS.slice(1)}/bin/busybox`)];

/** Parents before children: sshd's StrictModes looks at each folder's owner and mode. */
function foldersOf(files: readonly { path: string }[]): string[] {
  const folders = files.flatMap(({ path }) => parentsOf(path));
  return [...new Set([...folders, ...PLACES])].sort();
}

function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}
