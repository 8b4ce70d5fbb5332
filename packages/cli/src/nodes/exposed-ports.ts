/** `node expose`: ports of this machine that lead to ports of a node. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Connection } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import { ByteStream, frameError } from '@walt/client/stream';
import { UsageError } from '../errors.ts';

export interface PortPair {
  /** Port of the node. */
  node: number;
  /** Port of this machine; 0: any that is free. */
  local: number;
}

const LOOPBACKS = ['127.0.0.1', '::1'];
/** Attempts at a port that is free for both. */
const ATTEMPTS = 20;
/** What a machine without IPv6 says. */
const NO_SUCH_ADDRESS = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'];

/** From `80 8080 443 8443` or `80:8080 443:8443`. Throws UsageError. */
export function readPorts(words: readonly string[]): PortPair[] {
  const flat = words.flatMap((word) => {
    const parts = word.split(':');
    if (parts.length > 2) throw misread(`"${word}" is no pair of ports.`);
    return parts;
  });
  const pairs: PortPair[] = [];
  for (let at = 0; at < flat.length; at += 2) {
    const [node, local] = [flat[at] ?? '', flat[at + 1]];
    if (local === undefined) throw misread(`Port ${node} of the node is to lead nowhere.`);
    pairs.push({ node: port(node, 1), local: port(local, 0) });
  }
  const twice = pairs.find(
    ({ local }, at) => local !== 0 && pairs.findIndex((one) => one.local === local) < at,
  );
  if (twice) throw misread(`Port ${twice.local} of this machine is given twice.`);
  return pairs;
}

function port(text: string, least: number): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= 65_535) return value;
  throw misread(`"${text}" is no port: they are whole numbers from ${least} to 65535.`);
}

function misread(what: string): UsageError {
  return new UsageError(what, 'Say first the port of the node, then yours: walt node expose NODE 80 8080');
}

export interface OpenPort extends PortPair {
  addresses: string[];
}

/** Takes ports of this machine, on its loopback by IPv4 and, if it has that, by IPv6: all or none. Throws AbortError. */
export async function listenLocally(
  pairs: readonly PortPair[],
  receive: (socket: Socket, port: number) => void,
): Promise<{ ports: OpenPort[]; close(): void }> {
  const open: Server[] = [];
  const close = () => {
    for (const server of open) server.close();
  };
  const ports: OpenPort[] = [];
  try {
    for (const { node, local } of pairs) {
      const { port, servers } = await take(local, (socket) => receive(socket, node));
      open.push(...servers);
      ports.push({
        node,
        local: port,
        addresses: servers.map((one) => (one.address() as AddressInfo).address),
      });
    }
  } catch (error) {
    close();
    throw error;
  }
  return { ports, close };
}

async function take(
  local: number,
  receive: (socket: Socket) => void,
): Promise<{ port: number; servers: Server[] }> {
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = [];
    let chosen = local;
    try {
      for (const host of LOOPBACKS) {
        const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, receive);
        if (!(await listening(server, host, chosen))) continue;
        servers.push(server);
        chosen = (server.address() as AddressInfo).port;
      }
      return { port: chosen, servers };
    } catch (error) {
      for (const server of servers) server.close();
      const { code } = error as NodeJS.ErrnoException;
      if (local === 0 && code === 'EADDRINUSE' && attempt < ATTEMPTS) continue;
      throw untaken(chosen, code) ?? error;
    }
  }
}

/** False: this machine has no such address. */
function listening(server: Server, host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (host !== LOOPBACKS[0] && NO_SUCH_ADDRESS.includes(error.code ?? '')) resolve(false);
      else reject(error);
    });
    server.listen({ host, port }, () => resolve(true));
  });
}

function untaken(port: number, code: string | undefined): AbortError | undefined {
  if (code === 'EADDRINUSE') {
    const hint = 'End what listens there (ss -ltnp shows it), or choose another one; 0 is any that is free.';
    return new AbortError('CONFLICT', `Port ${port} of this machine is in use.`, hint);
  }
  if (code !== 'EACCES') return undefined;
  return new AbortError('FORBIDDEN', `You may not listen on port ${port}.`, 'Choose one from 1024 on.');
}

/**
 * Joins a connection to a port of a node, until both have ended. Throws AbortError when the node cannot be reached; whoever connected
 * then sees a connection that broke.
 */
export async function joinToNode(
  connection: Connection,
  socket: Socket,
  name: string,
  port: number,
): Promise<void> {
  const stream = new ByteStream(
    connection,
    '/stream/tcp',
    { node: name, port, both: 'yes' },
    {
      onData: (bytes) => stream.passOn(bytes, socket),
      onOpen: () => socket.resume(),
      onEnd: () => socket.end(),
    },
  );
  socket.on('data', (bytes: Buffer) => stream.sendFrom(socket, bytes));
  socket.on('end', () => stream.control({ type: 'end' }));
  // It broke: what the node still sends has nowhere to go.
  socket.on('error', () => stream.close());
  try {
    const end = await stream.ended;
    if (end?.type === 'error') throw frameError(end);
    if (stream.lost) throw connection.route.lost();
    socket.end();
  } catch (error) {
    socket.resetAndDestroy();
    throw error;
  }
}
