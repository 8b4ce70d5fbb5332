/** What listens on port 22 of played nodes: an sshd of this machine with the keys that the server gives to that node. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TestServer } from '../../server/test/server.ts';

/** Serves a node of the test server until it is disposed of. Its address must be one of this machine: `loopbackNet`. */
export async function serveSsh(server: TestServer, name: string): Promise<AsyncDisposable> {
  const { ip, config } = await sshdOf(server, name);
  return listenSsh(ip, config);
}

/** Where the sshd of a node listens, and its configuration file. */
export async function sshdOf(server: TestServer, name: string): Promise<{ ip: string; config: string }> {
  const { id, ip, image_owner: owner } = await server.nodes.lookup.row(name);
  return { ip, config: await configure(server, { id, owner }) };
}

/** An sshd of this machine on port 22 of that address, with that configuration file, until it is disposed of. */
export async function listenSsh(ip: string, config: string): Promise<AsyncDisposable> {
  // Its privilege separation folder, which Debian's service makes at its start.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const children = new Set<ChildProcess>();
  // It gets the connection itself: whoever comes is asked from where.
  const listener = createServer({ pauseOnConnect: true }, (connection) => {
    connection.on('error', () => {});
    const sshd = spawn('/usr/sbin/sshd', ['-i', '-f', config], { stdio: [connection, connection, 'ignore'] });
    children.add(sshd);
    sshd.once('close', () => children.delete(sshd));
    connection.destroy();
  });
  listener.listen(22, ip);
  await once(listener, 'listening').catch((error: unknown) => {
    throw new Error(
      `a node is played at port 22 of ${ip}: what has that port of all addresses must leave it`,
      {
        cause: error,
      },
    );
  });
  return {
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const child of children) child.kill();
    },
  };
}

/** As the platform layer configures sshd on nodes. Answers the file. */
async function configure(server: TestServer, node: { id: number; owner: string }): Promise<string> {
  const { hostKey, hostCertificate, userCa, principal } = await server.ssh.nodeIdentity(node);
  const folder = join(server.folder, `ssh-${node.id}`);
  mkdirSync(folder, { mode: 0o700 });
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const lines = [
    `HostKey ${file('key', hostKey)}`,
    `HostCertificate ${file('key-cert.pub', hostCertificate)}`,
    `TrustedUserCAKeys ${file('user_ca.pub', userCa)}`,
    `AuthorizedPrincipalsFile ${file('principals', `${principal}\n`)}`,
    'AuthorizedKeysFile none',
    'PermitRootLogin yes',
    'StrictModes no',
    'UsePAM no',
    'Subsystem sftp internal-sftp',
    // What this machine's root has in his .bashrc is not the tests' business.
    `SetEnv HOME=${folder}`,
  ];
  return file('sshd_config', `${lines.join('\n')}\n`);
}
