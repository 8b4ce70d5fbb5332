import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  errors,
  type imageContract,
  MAX_LOG_PATTERN,
  NODE_NAME,
  type nodeContract,
  PLATFORM_ISSUER,
  type ServerStatus,
} from '@walt/contract';
import type { CallsOf } from '../access/index.ts';
import { type LogLines, type Logs, toldLines } from '../logs/index.ts';
import {
  type Config,
  HttpListener,
  hostNetwork,
  isUserError,
  type Limits,
  type Log,
  type Paths,
  type Programs,
  type Refusal,
  UserError,
} from '../platform/index.ts';
import { type Figures, metricsOf, trafficOf } from './figures.ts';
import { renderMetrics } from './metrics.ts';
import {
  imageData,
  type LogQuestion,
  logQuestion,
  nodeData,
  selectImages,
  selectNodes,
  timeIn,
} from './questions.ts';

/** Bytes of a request's head. */
const MAX_HEAD = 16 * 1024;
/** Connections at a time. */
const CONNECTIONS = 32;
/** Readers of lines among them: each is a thread. */
const MAX_READERS = 8;

const PROGRAM = 'http';
/** Whose lines are told where nobody says whose. */
const ALL = 'all-devices';

/** Who asks: nobody in particular, who may read what everybody may. */
const READER = { uid: 65_534, user: 'nobody', role: 'viewer' } as const;

interface Deps {
  config: Pick<Config, 'http' | 'network'>;
  paths: Pick<Paths, 'webSocket'>;
  limits: Limits['clients'];
  nodes: Pick<CallsOf<Pick<typeof nodeContract, 'list' | 'settings'>>, 'list' | 'settings'>;
  images: Pick<CallsOf<Pick<typeof imageContract, 'list'>>, 'list'>;
  lines: LogLines;
  logs: Pick<Logs, 'figures' | 'own'>;
  boots: Figures['boots'];
  status: () => Promise<Pick<ServerStatus, keyof Figures['status']>>;
  /** Link to walt-net. */
  bridge: string;
  log: Log;
}

type Answer = (url: URL, response: ServerResponse, signal: AbortSignal) => Promise<void>;

/**
 * Answers on a Unix socket; a program in the host's network namespace passes on what comes to the port that the configuration names.
 * Everybody who reaches that port may read all that it tells, as all users of the platform may.
 */
export class WebApi {
  readonly #deps: Deps;
  readonly #listener: HttpListener;
  #readers = 0;

  /** By path. */
  readonly #answers: ReadonlyMap<string, Answer> = new Map<string, Answer>([
    ['/api/v1/nodes', (url, response, signal) => this.#nodes(url, response, signal)],
    ['/api/v1/images', (url, response, signal) => this.#images(url, response, signal)],
    ['/api/v1/logs', (url, response, signal) => this.#logs(url, response, signal)],
    ['/metrics', (_url, response, signal) => this.#metrics(response, signal)],
  ]);

  constructor(deps: Deps) {
    this.#deps = deps;
    const { log, limits } = deps;
    this.#listener = new HttpListener({
      ...{ name: 'HTTP for others', log, maxHead: MAX_HEAD, cutsReaders: true },
      limits: { ...limits, all: CONNECTIONS, each: CONNECTIONS },
      answer: (request, response) => this.#answer(request, response),
      failed: (error, response) => sendError(response, error, log),
      refusal: () => refusal,
    });
  }

  listen(): Promise<void> {
    return this.#listener.listenForRoot(this.#deps.paths.webSocket);
  }

  /** Lets the host's network in, or nobody, as the configuration says. Rejects when the address cannot be had. */
  async open(programs: Pick<Programs, 'ensure' | 'stop' | 'recorded'>): Promise<void> {
    const { config, paths } = this.#deps;
    const { address, port } = config.http;
    if (port === 0) {
      // One of before, when the configuration was another.
      for (const name of await programs.recorded([PROGRAM])) await programs.stop(name);
      return;
    }
    const from = `TCP4-LISTEN:${port},bind=${address},fork,reuseaddr,max-children=${CONNECTIONS}`;
    await programs.ensure({
      name: PROGRAM,
      argv: hostNetwork(config, ['socat', from, `UNIX-CONNECT:${paths.webSocket}`]),
    });
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.parse(request.url ?? '/', 'http://walt');
    const answer = url && this.#answers.get(url.pathname);
    if (!url || !answer) {
      throw new UserError(
        'NOT_FOUND',
        'Nothing is there.',
        `These are: ${[...this.#answers.keys()].join(', ')}`,
      );
    }
    if (request.method !== 'GET') {
      response.setHeader('allow', 'GET');
      throw new UserError('INVALID', 'Nothing can be changed here.', 'Use GET.');
    }
    this.#requireHost(request.headers.host);
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    await answer(url, response, gone.signal);
  }

  /** Pages of others could ask by a name of their own that means this machine, and read the answer (DNS rebinding). */
  #requireHost(host = ''): void {
    const name = host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
    if (!this.#deps.config.http.address.startsWith('127.') || name === 'localhost' || isIP(name) !== 0)
      return;
    throw new UserError(
      'FORBIDDEN',
      'This is for programs on this machine.',
      'Ask by its address: 127.0.0.1.',
    );
  }

  async #nodes(url: URL, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { nodes } = this.#deps;
    const set = { set: 'all-nodes' };
    const all = await nodes.list(READER, set, signal);
    const settings = all.length === 0 ? [] : (await nodes.settings(READER, set, signal)).nodes;
    const byName = new Map(settings.map((node) => [node.name, node.settings]));
    const data = all.map((node) => nodeData(node, byName.get(node.name) ?? []));
    send(response, 200, 'application/json', JSON.stringify(selectNodes(url.searchParams, data)));
  }

  async #images(url: URL, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const all = await this.#deps.images.list(READER, { all: true }, signal);
    send(
      response,
      200,
      'application/json',
      JSON.stringify(selectImages(url.searchParams, all.map(imageData))),
    );
  }

  /** As lines are read: a long answer takes no memory. */
  async #logs(url: URL, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const question = logQuestion(url.searchParams, Date.now());
    if (this.#readers >= MAX_READERS) {
      throw new UserError('BUSY', 'Too many read logs at this moment.', 'Ask again a little later.');
    }
    this.#readers += 1;
    try {
      const lines = await this.#deps.lines.read(READER, this.#query(question), signal);
      response.writeHead(200, { 'content-type': 'application/json' });
      await pipeline(Readable.from(logData(lines, question.unit), { objectMode: false }), response);
    } finally {
      this.#readers -= 1;
    }
  }

  #query({ from, to, issuer = ALL, stream }: LogQuestion) {
    if (!NODE_NAME.test(issuer)) {
      throw new UserError(
        'INVALID',
        'The parameter issuer is no name.',
        'Give the name of one node or device.',
      );
    }
    if (stream !== undefined && stream.length > MAX_LOG_PATTERN) {
      throw new UserError('INVALID', 'The parameter stream is too long.', 'Shorten it.');
    }
    // The platform has the name in an answer that it has in a question.
    const set = issuer === PLATFORM_ISSUER ? 'server' : issuer;
    return { set, from, to, ...(stream !== undefined && { streams: `^(?:${stream})$` }) };
  }

  async #metrics(response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { nodes, boots, status, logs, bridge } = this.#deps;
    const [all, now, network, ofLogs] = await Promise.all([
      nodes.list(READER, { set: 'all-nodes' }, signal),
      status(),
      trafficOf(bridge),
      logs.figures().catch(() => undefined),
    ]);
    const text = renderMetrics(
      metricsOf({ nodes: all, boots, status: now, network, logs: ofLogs, ownLines: logs.own }),
    );
    send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', text);
  }
}

async function* logData(lines: AsyncIterable<Buffer>, unit: LogQuestion['unit']): AsyncGenerator<string> {
  yield '{"logs":[';
  let count = 0;
  for await (const portion of toldLines(lines)) {
    const data = portion.map(({ time, text, issuer, stream }) => {
      const rest = JSON.stringify({ line: text, issuer, stream }).slice(1);
      return `{"timestamp":${timeIn(unit, time)},${rest}`;
    });
    yield (count === 0 ? '' : ',') + data.join(',');
    count += portion.length;
  }
  yield `],"num_logs":${count}}`;
}

const refusal: Refusal = {
  status: 503,
  type: 'application/json',
  text: JSON.stringify({
    code: 'BUSY',
    message: 'Too many ask at this moment.',
    hint: 'Ask again a little later.',
  }),
};

function sendError(response: ServerResponse, error: unknown, log: Log): void {
  const told = isUserError(error)
    ? error
    : new UserError('UNAVAILABLE', 'The server made a mistake.', "The server's journal has the details.");
  if (told !== error) log.error('a question by HTTP failed', { error: String(error) });
  const { code, message, hint } = told;
  const status = response.hasHeader('allow') ? 405 : code === 'INVALID' ? 400 : errors[code].status;
  send(response, status, 'application/json', JSON.stringify({ code, message, hint }));
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
