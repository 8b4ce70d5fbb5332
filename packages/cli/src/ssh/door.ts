/**
 * A way to a node's SSH server for one ssh that this process starts: a port on the loopback interface, in place of a ProxyCommand,
 * which would be one more Node.js for each node (decision 0089).
 */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Connection } from '@walt/client/connection';
import { tellError } from '@walt/client/errors';
import { relayToNode, SSH_PORT } from './relay.ts';

/** The kernel's list of TCP sockets, with their owners (proc_pid_net(5)). */
const TCP_SOCKETS = '/proc/net/tcp';

export interface Door extends Disposable {
  /** For ssh. Empty where the kernel does not tell who connects: then ssh goes by the configuration's ProxyCommand. */
  options: readonly string[];
}

/** It opens once, and only for this user. `onFailure` gets a sentence when the server cannot join it to the node. */
export async function openDoor(
  connection: Connection,
  node: string,
  onFailure: (sentence: string) => void,
): Promise<Door> {
  if (!existsSync(TCP_SOCKETS)) return { options: [], [Symbol.dispose]: () => {} };
  let inside: Socket | undefined;
  const listener = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {});
    const { remotePort = 0, localPort = 0 } = socket;
    const owner = ownerOf(readFileSync(TCP_SOCKETS, 'utf8'), remotePort, localPort);
    if (inside || owner !== process.getuid?.()) return socket.destroy();
    inside = socket;
    listener.close();
    relayToNode(connection, { node, port: SSH_PORT }, { input: socket, output: socket })
      .catch((error: unknown) => onFailure(tellError(error)?.message ?? String(error)))
      .finally(() => socket.destroySoon());
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const options = ['ProxyCommand=none', 'HostName=127.0.0.1', `Port=${port}`, 'CheckHostIP=no'];
  return {
    options: options.flatMap((option) => ['-o', option]),
    [Symbol.dispose]: () => {
      listener.close();
      inside?.destroy();
    },
  };
}

/**
 * User id of who has connected from `port` to port `to`, both on 127.0.0.1; undefined when nobody has. Only a connection that is
 * established has an owner: what is left of one that was closed is shown as root's.
 */
export function ownerOf(sockets: string, port: number, to: number): number | undefined {
  const end = (number: number) => `:${number.toString(16).toUpperCase().padStart(4, '0')}`;
  // The address is a number in the byte order of the machine.
  const loopback = ['0100007F', '7F000001'];
  for (const line of sockets.split('\n')) {
    const [, local, remote, state, , , , user] = line.trim().split(/\s+/);
    if (state !== '01' || user === undefined) continue;
    if (loopback.some((host) => local === host + end(port) && remote === host + end(to))) return Number(user);
  }
  return undefined;
}
