/** A server that lies: it passes calls on to another one, and changes what comes back. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { RPC_PREFIX } from '@walt/contract';
import { WebSocketServer } from 'ws';

/** Gets a call's name, as `node.list`, and its answer: a result, an event or an error. */
export type Tamper = (call: string, answer: unknown) => unknown;

export class HostileServer implements AsyncDisposable {
  /** By default all is passed on as it is. */
  tamper: Tamper = (_call, answer) => answer;
  /** What all calls but those of `auth` fail with; undefined: they are passed on. */
  failure: { code: string; message: string; data: object } | undefined;
  /** What streams end with, instead of being passed on; a text is sent as it is. */
  lastFrame: object | string = { type: 'exit', status: 0 };
  readonly socket: string;
  readonly #genuine: string;
  readonly #http: Server;
  readonly #streams = new WebSocketServer({ noServer: true });

  private constructor(socket: string, genuine: string) {
    this.socket = socket;
    this.#genuine = genuine;
    this.#http = createServer((incoming, response) => {
      this.#pass(incoming, response).catch((error: Error) => response.destroy(error));
    });
    this.#http.on('upgrade', (incoming, connection, head) =>
      this.#streams.handleUpgrade(incoming, connection, head, (stream) => {
        const { lastFrame } = this;
        stream.send(typeof lastFrame === 'string' ? lastFrame : JSON.stringify(lastFrame));
        stream.close();
      }),
    );
  }

  /** Listens on `socket`; the other one is at `genuine`. */
  static async start(socket: string, genuine: string): Promise<HostileServer> {
    const server = new HostileServer(socket, genuine);
    server.#http.listen(socket);
    await once(server.#http, 'listening');
    return server;
  }

  async #pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '/', headers } = incoming;
    const call = url.slice(RPC_PREFIX.length + 1).replaceAll('/', '.');
    if (this.failure && !call.startsWith('auth.')) {
      response.writeHead(412, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ json: { defined: true, status: 412, ...this.failure } }));
      return;
    }
    const outgoing = request({ socketPath: this.#genuine, method, path: url, headers });
    outgoing.end(await buffer(incoming));
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    const text = (await buffer(answer)).toString();
    if (answer.headers['content-type'] === 'text/plain') {
      // Lines of logs: one more, of what it makes of a word.
      const word = this.tamper('log.lines', 'word');
      response.writeHead(answer.statusCode ?? 500, { 'content-type': 'text/plain' });
      response.end(`S 1 ${word} ${word}\nL 1 1790000000000000 ${word}\n${text}`);
      return;
    }
    const events = answer.headers['content-type']?.startsWith('text/event-stream');
    const changed = events
      ? text.replace(/^data: (.*)$/gm, (_line, data) => `data: ${this.#change(call, data)}`)
      : this.#change(call, text);
    const { 'content-length': _length, 'transfer-encoding': _encoding, ...kept } = answer.headers;
    response.writeHead(answer.statusCode ?? 500, kept).end(changed);
  }

  #change(call: string, text: string): string {
    return text === '' ? text : JSON.stringify(this.tamper(call, JSON.parse(text)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#streams.clients) stream.terminate();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, 'close');
  }
}

/** The same data with another text in place of each. */
export function mapStrings(data: unknown, change: (text: string) => string): unknown {
  if (typeof data === 'string') return change(data);
  if (Array.isArray(data)) return data.map((item) => mapStrings(item, change));
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, mapStrings(value, change)]));
}
