import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CONTRACT_HEADER, CONTRACT_TEXT, type ServerFrame, streams } from '@walt/contract';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Caller, LostRight, type Role, streamRoles } from '../../access/index.ts';
import { type Log, rarely } from '../../platform/index.ts';
import { audited } from '../audit.ts';
import { namingDiskUsers } from '../disk-users.ts';
import { toApiError } from '../errors.ts';
import { bearerToken, parseQuery, requireContract } from '../http.ts';
import type { Services } from '../services.ts';
import type { Shares } from '../shares.ts';
import { ConsoleHub } from './console-hub.ts';
import { sendFrame } from './pump.ts';
import { serveJob } from './stream-job.ts';
import { type Reached, serveTcp } from './stream-tcp.ts';

/** Bytes of one message from a client; ours send pieces of 64 KiB. */
const MAX_MESSAGE = 1024 * 1024;

/** Milliseconds in which a client whose right was lost may read why. */
const CUT_OFF_LIMIT = 1000;

export interface StreamOptions {
  /** Milliseconds between two heartbeats; default 30 s. */
  heartbeat?: number;
  /** Its connection is that of a known user's stream: it gives way to no other. */
  keep(request: IncomingMessage): void;
  /** No longer. */
  release(request: IncomingMessage): void;
}

/** Serves one WebSocket to its end: resolves when there is no more to send, rejects with what goes into an error frame. */
type Serve = (socket: WebSocket, caller: Caller, url: URL) => Promise<ServerFrame | undefined>;
type Routes = { readonly [Name in keyof typeof streams]: Serve };

interface Route {
  name: string;
  serve: Serve;
  /** The role that it asks. */
  least: Role;
}

/**
 * The WebSockets of the contract. Every refusal, from a missing token to a node that is off, is an `error` frame on the open
 * WebSocket, so that clients handle one form of failure.
 *
 * Each WebSocket gets a heartbeat that asks for no answer (an unsolicited pong, RFC 6455, 5.5.3): writing to a client that is gone
 * fails, which is how its end is seen while its WebSocket is paused. Pings would not do: a client that is merely suspended
 * (ctrl-z in a node shell) answers none, and `ws` ends a connection on which it cannot get its answers out.
 */
export class Streams {
  readonly #services: Services;
  readonly #consoles: ConsoleHub;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE,
    perMessageDeflate: false,
  });
  readonly #shares: Shares;
  readonly #options: StreamOptions;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #broke: Log['warn'];

  constructor(services: Services, shares: Shares, options: StreamOptions) {
    const { heartbeat = 30_000 } = options;
    this.#services = services;
    this.#shares = shares;
    this.#options = options;
    this.#server.on('headers', (headers) => headers.push(`${CONTRACT_HEADER}: ${CONTRACT_TEXT}`));
    this.#broke = rarely(services.log.warn);
    this.#heartbeat = setInterval(() => this.#beat(), heartbeat).unref();
    this.#consoles = new ConsoleHub();
    const routes: Routes = {
      tcp: (...args) => this.#tcp(...args),
      console: (...args) => this.#console(...args),
      job: (...args) => this.#job(...args),
    };
    this.#routes = new Map(
      (Object.keys(streams) as (keyof typeof streams)[]).map((name) => [
        streams[name].path,
        { name, serve: routes[name], least: streamRoles[name] },
      ]),
    );
  }

  /** Takes over the connection of an upgrade request. */
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    const url = URL.parse(request.url ?? '/', 'http://walt');
    const route = url && this.#routes.get(url.pathname);
    if (!route) {
      // Whoever does not close his end would stay.
      connection.once('finish', () => connection.destroy());
      connection.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    this.#server.handleUpgrade(request, connection, head, (socket) => {
      // A broken message ends the WebSocket; `close` follows and is what the streams act on.
      socket.on('error', (error) => this.#broke('stream broke', { error: error.message }));
      // Whatever the client sends is kept in the kernel until the stream behind is there.
      socket.pause();
      void this.#run(route, socket, request, url);
    });
  }

  close(): void {
    clearInterval(this.#heartbeat);
    for (const socket of this.#server.clients) socket.terminate();
    this.#consoles.close();
  }

  #beat(): void {
    for (const socket of this.#server.clients) {
      if (socket.readyState === socket.OPEN) socket.pong();
    }
  }

  async #run(
    { name, serve, least }: Route,
    socket: WebSocket,
    request: IncomingMessage,
    url: URL,
  ): Promise<void> {
    const { identity, rights, audit, origins, log } = this.#services;
    try {
      requireContract(request);
      const caller = await identity.caller(bearerToken(request));
      using _share = this.#shares.take(caller.user);
      this.#options.keep(request);
      const deed = {
        ...{ name: `stream ${name}`, least, input: Object.fromEntries(url.searchParams) },
        origin: () => origins.of(request.socket, caller.uid),
      };
      const served = async () => ({
        output: await rights.whileHeld(
          () => identity.requireUser(caller),
          () => serve(socket, caller, url),
        ),
      });
      const { output: last } = await audited(audit, caller, deed, () =>
        namingDiskUsers(this.#services, caller, served),
      );
      if (last !== undefined) sendFrame(socket, last);
    } catch (thrown) {
      if (socket.readyState !== socket.OPEN) return;
      const { code, message, data } = toApiError(thrown, log);
      if (thrown instanceof LostRight) cutOff(socket);
      sendFrame(socket, { type: 'error', code, message, hint: data.hint });
    } finally {
      // A paused WebSocket would never see the client's closing frame.
      socket.resume();
      socket.close(1000);
      // It counts as nobody's stream any more, however long the client takes to close it.
      this.#options.release(request);
    }
  }

  async #tcp(socket: WebSocket, caller: Caller, url: URL): Promise<undefined> {
    const { node: name, port, both } = parseQuery(streams.tcp.query, url);
    const relay = (to: Reached) => serveTcp(socket, to, port, both !== undefined);
    const { entry, devices } = this.#services;
    if (await devices.has(name)) await devices.onNetwork(caller, { name, port }, relay);
    else await entry.onNetwork(caller, name, relay);
  }

  async #console(socket: WebSocket, caller: Caller, url: URL): Promise<undefined> {
    const { node: name } = parseQuery(streams.console.query, url);
    await this.#services.entry.onConsole(caller, name, (node, port) =>
      this.#consoles.serve(socket, caller.user, node, port),
    );
  }

  async #job(socket: WebSocket, caller: Caller, url: URL): Promise<ServerFrame | undefined> {
    const { job, ...size } = parseQuery(streams.job.query, url);
    const { images, log } = this.#services;
    return await serveJob(socket, size, log, (client) => images.attach(caller, job, client));
  }
}

/** What is joined to the WebSocket still runs: nothing more is taken from the client, and it ends though he does not answer. */
function cutOff(socket: WebSocket): void {
  socket.removeAllListeners('message');
  const timer = setTimeout(() => socket.terminate(), CUT_OFF_LIMIT);
  socket.once('close', () => clearTimeout(timer));
}
