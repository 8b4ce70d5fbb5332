/**
 * A way to a node's SSH server for one ssh that this process starts: a port on the loopback interface, in place of a ProxyCommand,
 * which would be one more Node.js for each node (decision 0089).
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Connection } from '@walt/client/connection';
import { tellError } from '@walt/client/errors';
import { quoted } from './config.ts';
import { sshFiles } from './files.ts';
import { relayToNode, SSH_PORT } from './relay.ts';

/** Connections from elsewhere than this ssh, after which the door is shut: nobody has time to guess from where it comes. */
const MAX_STRANGERS = 64;

export interface Door extends AsyncDisposable {
  /** Configuration file for ssh. */
  config: string;
}

/**
 * It opens once, and only for whoever can read the user's files: they tell from which of the 2²⁴ loopback addresses ssh is to come.
 * `onFailure` gets a sentence when the server cannot join it to the node. Only Linux has so many addresses: elsewhere, ssh goes by the
 * configuration's ProxyCommand.
 */
export async function openDoor(
  connection: Connection,
  node: string,
  onFailure: (sentence: string) => void,
): Promise<Door> {
  const files = sshFiles();
  if (process.platform !== 'linux') return { config: files.config, [Symbol.asyncDispose]: async () => {} };
  const from = secretAddress();
  let inside: Socket | undefined;
  let strangers = 0;
  const listener = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {});
    if (inside || socket.remoteAddress !== from) {
      strangers += 1;
      if (strangers === MAX_STRANGERS) {
        listener.close();
        onFailure('Programs of somebody else on this machine get in between ssh and walt.');
      }
      return socket.destroy();
    }
    inside = socket;
    listener.close();
    relayToNode(connection, { node, port: SSH_PORT }, { input: socket, output: socket })
      .catch((error: unknown) => onFailure(tellError(error)?.message ?? String(error)))
      .finally(() => socket.destroySoon());
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const config = join(dirname(files.config), `door-${process.pid}-${port}`);
  const options = ['ProxyCommand none', 'HostName 127.0.0.1', `Port ${port}`, `BindAddress ${from}`];
  // Of two values, ssh takes the first.
  const lines = [...options, 'CheckHostIP no', `Include ${quoted(files.config)}`];
  await writeFile(config, `${lines.join('\n')}\n`, { mode: 0o600 });
  return {
    config,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      inside?.destroy();
      await rm(config, { force: true });
    },
  };
}

/** Any of 127.0.0.0/8, but the first and the last of each part. */
function secretAddress(): string {
  return ['127', ...[...randomBytes(3)].map((byte) => 1 + (byte % 254))].join('.');
}
