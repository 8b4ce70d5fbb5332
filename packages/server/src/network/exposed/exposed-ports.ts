import type { Server, Socket } from 'node:net';
import type { ExposedPort } from '@walt/contract';
import { createLog, dial, Gate, hasErrno, openFilesLimit, rarely, UserError } from '../../platform/index.ts';
import { listenIn } from './host-listeners.ts';

const log = createLog('network');

/** Connections at a time: to a port, and to all ports of a node; from one address to a port. */
const LIMITS = { all: 1024, each: 256 };
/** Connections to all ports that there may be for each file that the server may open: each takes two, which makes a quarter of these. */
const SHARE = 1 / 8;
/** Milliseconds for a node to answer. */
const CONNECT_LIMIT = 10_000;

/** Milliseconds of silence after which an end that is gone is found out. */
const KEEP_ALIVE = 60_000;

interface OpenPort {
  node: number;
  leadsTo: { host: string; port: number };
  listener: Server;
  sockets: Set<Socket>;
}

/** Ports of the host, at all its addresses, that lead to ports of nodes on walt-net. They end with the server, and come back with it. */
export class ExposedPorts {
  readonly #host: string;
  readonly #most: number;
  readonly #full = rarely(log.warn);
  /** By port of the host. */
  readonly #open = new Map<number, OpenPort>();
  #turn: Promise<unknown> = Promise.resolve();

  /** `host`: name of the host's network namespace. `most`: connections to all ports. */
  constructor(host: string, most = Math.floor(openFilesLimit() * SHARE)) {
    this.#host = host;
    this.#most = most;
  }

  /** Throws UserError unless each of these ports of the host can be opened, or is open already for that node. */
  require(node: number | undefined, ports: readonly ExposedPort[]): Promise<void> {
    return this.#inTurn(async () => {
      for (const { server: port } of ports) {
        const known = this.#open.get(port);
        if (known && known.node === node) continue;
        if (known) throw taken(port);
        await this.#listen(port, (listener) => listener.close());
      }
    });
  }

  /** All ports that lead to a node. Those that can be opened are open, when it throws UserError for others. */
  set(node: number, ip: string, ports: readonly ExposedPort[]): Promise<void> {
    return this.#inTurn(async () => {
      const wanted = new Map(ports.map((port) => [port.server, port.node]));
      for (const [port, { node: owner, leadsTo }] of this.#open) {
        const isSame = leadsTo.host === ip && leadsTo.port === wanted.get(port);
        if (owner === node && !isSame) this.#close(port);
      }
      const failures: unknown[] = [];
      for (const [port, target] of wanted) {
        if (this.#open.get(port)?.node === node) continue;
        await this.#openPort(port, node, { host: ip, port: target }).catch((error) => failures.push(error));
      }
      if (failures.length > 0) throw failures[0];
    });
  }

  /** What is open, by node; nodes that are missing have none. */
  look(): Map<number, { ip: string; ports: ExposedPort[] }> {
    const found = new Map<number, { ip: string; ports: ExposedPort[] }>();
    for (const [server, { node, leadsTo }] of this.#open) {
      const ports = [...(found.get(node)?.ports ?? []), { node: leadsTo.port, server }];
      found.set(node, { ip: leadsTo.host, ports });
    }
    return found;
  }

  /** Resolves when no port is open. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      for (const port of this.#open.keys()) this.#close(port);
    });
  }

  async #openPort(port: number, node: number, leadsTo: OpenPort['leadsTo']): Promise<void> {
    if (this.#open.has(port)) throw taken(port);
    await this.#listen(port, (listener) => this.#serve(listener, port, node, leadsTo));
  }

  #serve(listener: Server, port: number, node: number, leadsTo: OpenPort['leadsTo']): void {
    const sockets = new Set<Socket>();
    // Each end may say that it has said all (net.Server has this of its constructor, which the handing over leaves out).
    Object.assign(listener, { allowHalfOpen: true });
    listener.on('connection', (socket) => {
      if (this.#isFull(node)) {
        this.#full('too many connections to exposed ports', { node, port });
        return socket.destroy();
      }
      gate.busy(socket);
      socket.setKeepAlive(true, KEEP_ALIVE);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      relay(socket, leadsTo);
    });
    const gate = new Gate(listener, { limits: LIMITS, log, name: `port ${port} of this machine` });
    this.#open.set(port, { node, leadsTo, listener, sockets });
  }

  /** Whoever exposes many ports takes no more files than the server can spare, nor what others need. */
  #isFull(node: number): boolean {
    const ports = [...this.#open.values()];
    const connections = (of: readonly OpenPort[]) => of.reduce((sum, { sockets }) => sum + sockets.size, 0);
    const own = connections(ports.filter((port) => port.node === node));
    return own >= LIMITS.all || connections(ports) >= this.#most;
  }

  #close(port: number): void {
    const { listener, sockets } = this.#open.get(port) ?? {};
    this.#open.delete(port);
    listener?.close();
    for (const socket of sockets ?? []) socket.destroy();
  }

  async #listen(port: number, take: (listener: Server) => void): Promise<void> {
    try {
      await listenIn(this.#host, port, take);
    } catch (error) {
      if (hasErrno(error, 'EADDRINUSE')) throw taken(port);
      throw new UserError(
        'UNAVAILABLE',
        `Port ${port} of the server machine cannot be opened: ${error instanceof Error ? error.message : error}.`,
        'Take another port.',
      );
    }
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {}); // the caller gets the error
    return result;
  }
}

function taken(port: number): UserError {
  return new UserError(
    'CONFLICT',
    `Port ${port} of the server machine is in use.`,
    'Take another port, or end what listens there.',
  );
}

/** Until both ends have said all, or one of them breaks. A node that does not answer is told by the end of the connection. */
function relay(socket: Socket, leadsTo: OpenPort['leadsTo']): void {
  const left = new AbortController();
  socket.once('close', () => left.abort());
  const where = {
    ...leadsTo,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE,
    allowHalfOpen: true,
  };
  dial(where, { timeout: CONNECT_LIMIT, signal: left.signal }).then(
    (node) => {
      socket.pipe(node).pipe(socket);
      for (const [one, other] of [
        [socket, node],
        [node, socket],
      ] as const) {
        one.once('close', () => {
          if (!one.readableEnded || !one.writableFinished) other.destroy();
        });
      }
    },
    () => socket.resetAndDestroy(),
  );
}
