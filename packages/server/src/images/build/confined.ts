/**
 * Runs a program with a network, processes and mounts of its own (unshare(1), slirp4netns(1)), of which nothing is left when it ends,
 * when it is killed, or when the server dies. It sees its own folders below /mnt, and neither the platform's files nor users' homes.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { ExternalError } from '../../platform/index.ts';
import type { HostCommand } from '../types.ts';
import type { ControlGroup } from './control-group.ts';

/** Where the program finds its folders. Short: an overlay of many layers names /mnt/i in one page. */
export const INSIDE = {
  store: '/mnt/s',
  images: '/mnt/i',
  layers: '/mnt/l',
  work: '/mnt/w',
  run: '/mnt/r',
  temporary: '/mnt/w/tmp',
};

export interface Places {
  /** The user's own store. */
  store: string;
  /** Folder of this run, with `images` (`writeView`), `tmp/buildah-cache` and `resolv.conf` in it. */
  work: string;
  /** What `RUN --mount=type=cache` keeps. */
  cache: string;
  /** The server's layers. */
  overlay: string;
  /** The platform's folders, which the program does not see. */
  hidden: readonly [state: string, runtime: string];
}

export interface Confined {
  stdout: Readable;
  stderr: Readable;
  /** Exit status, once no process of it is left; null when it was killed. */
  ended: Promise<number | null>;
  kill(): void;
}

/** Address of slirp4netns's own resolver. */
export const RESOLVER = '10.0.2.3';

const SCRIPT = `set -eu
umask 022
cd /
echo ready >&3
exec 3>&-
mount -t tmpfs -o mode=0700 walt-build /mnt
mkdir /mnt/s /mnt/w /mnt/i /mnt/l /mnt/r
mount --bind -- "$1" /mnt/s
mount --bind -- "$2" /mnt/w
mount --bind -- "$3" /mnt/w/tmp/buildah-cache
mount --bind -- "$2/images" /mnt/i
mount --bind -- "$4" /mnt/l
mount -o remount,bind,ro /mnt/l
[ ! -e /etc/resolv.conf ] || mount --bind /mnt/w/resolv.conf /etc/resolv.conf
for folder in "$5" "$6" /root /home; do
  [ ! -d "$folder" ] || mount -t tmpfs -o mode=0755,ro walt-build "$folder"
done
mount --bind /mnt/w/tmp /var/tmp
shift 6
read -r go
exec unshare --pid --fork --kill-child=KILL --mount-proc -- "$@" </dev/null`;

/** Starts it with its network up. Throws ExternalError when that cannot be had. */
export async function startConfined(
  host: HostCommand,
  places: Places,
  argv: readonly string[],
  env: Record<string, string>,
  group: ControlGroup,
): Promise<Confined> {
  const { store, work, cache, overlay, hidden } = places;
  const folders = [store, work, cache, overlay, ...hidden];
  const [file = '', ...args] = host([
    ...['setpriv', '--pdeathsig', 'KILL', '--', 'unshare', '--net', '--mount', '--ipc', '--uts', '--'],
    ...['/bin/sh', '-c', SCRIPT, 'sh', ...folders, ...argv],
  ]);
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], env }) as ChildProcessByStdio<
    Writable,
    Readable,
    Readable
  >;
  // Its exit status tells the rest.
  for (const stream of child.stdio) stream?.on('error', () => {});
  const closed = once(child, 'close') as Promise<[number | null]>;
  // Whoever waits for its end hears of it; before that, nobody does.
  closed.catch(() => {});
  const kill = () => void child.kill('SIGKILL');
  try {
    // Before that, its network is still the server's.
    await Promise.race([once(child.stdio[3] as Readable, 'data'), closed.then(notStarted(argv))]);
    // What it starts from now on is in the group, too.
    await group.enter(child.pid ?? 0);
    const network = await startNetwork(host, child.pid ?? 0);
    const ended = closed.then(async ([status]) => {
      network.kill('SIGKILL');
      if (network.exitCode === null && network.signalCode === null) await once(network, 'exit');
      return status;
    });
    ended.catch(() => {});
    child.stdin.end('go\n');
    return { stdout: child.stdout, stderr: child.stderr, ended, kill };
  } catch (error) {
    kill();
    throw error;
  }
}

function notStarted(argv: readonly string[]): () => never {
  return () => {
    throw new ExternalError(argv, null, 'it could not be confined');
  };
}

/**
 * With podman's options for an image shell. Resolves when the network is up. As podman does, in a mount namespace of its own: the
 * sandbox unmounts what it leaves behind, and where mounts are shared, as those of `ip netns` are, everybody would lose them.
 */
async function startNetwork(host: HostCommand, pid: number) {
  const options = [
    ...['--configure', '--mtu=65520', '--disable-host-loopback', '--enable-ipv6'],
    ...['--enable-sandbox', '--enable-seccomp', '--ready-fd=3'],
  ];
  const argv = ['slirp4netns', ...options, String(pid), 'tap0'];
  const [file = '', ...args] = host([
    'setpriv',
    '--pdeathsig',
    'KILL',
    '--',
    'unshare',
    '--mount',
    '--',
    ...argv,
  ]);
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  for (const stream of child.stdio) stream?.on('error', () => {});
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-4096);
  });
  const failed = once(child, 'close').then(([status]: unknown[]) => {
    throw new ExternalError(argv, typeof status === 'number' ? status : null, complaint);
  });
  failed.catch(() => {});
  await Promise.race([once(child.stdio[3] as Readable, 'data'), failed]);
  return child;
}
