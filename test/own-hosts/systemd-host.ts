/** A machine that systemd runs, on the switch of a cluster, which SSH reaches as it reaches the others. */
import { readdir, readlink } from 'node:fs/promises';
import { run } from '../../packages/server/src/platform/index.ts';
import { SystemdMachine } from '../systemd-machine.ts';
import type { Cluster } from './cluster.ts';

export const SYSTEMD_HOST = '198.18.0.50';

export async function plugSystemdMachine(cluster: Cluster): Promise<SystemdMachine> {
  const machine = await SystemdMachine.start();
  try {
    const network = (await machine.ok('readlink /proc/self/ns/net')).trim();
    const inside = (...words: string[]) => run(['ip', '-n', cluster.host, ...words]);
    const peer = ['peer', 'name', 'eth0', 'netns', await processIn(network)];
    await inside('link', 'add', 'systemd', 'type', 'veth', ...peer);
    await inside('link', 'set', 'systemd', 'master', 'switch0', 'up');
    await machine.ok(
      `ip address add ${SYSTEMD_HOST}/24 dev eth0 && ip link set eth0 up && mkdir -p /run/sshd`,
    );
    await machine.ok(`echo '${await cluster.publicKey()}' >/run/sshd/keys`);
    await machine.ok("ssh-keygen -q -t ed25519 -N '' -f /run/sshd/host");
    await machine.ok(
      '/usr/sbin/sshd -f none -h /run/sshd/host -o UsePAM=no -o AuthorizedKeysFile=/run/sshd/keys',
    );
    await cluster.knowHost(SYSTEMD_HOST, await machine.ok('cat /run/sshd/host.pub'));
    return machine;
  } catch (error) {
    await machine.close();
    throw error;
  }
}

/** Number of a process in that network namespace. */
async function processIn(network: string): Promise<string> {
  for (const pid of await readdir('/proc')) {
    if (/^\d+$/.test(pid) && (await readlink(`/proc/${pid}/ns/net`).catch(() => '')) === network) return pid;
  }
  throw new Error(`nothing runs in ${network}`);
}
