/** What nodes get over HTTP. Who asks is told by the source address: a node has nothing else to prove itself with. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createLog, type Paths } from '../platform/index.ts';
import { chooseBoot } from './boot-choice.ts';
import { type Download, readBootRecord } from './boot-files.ts';
import { volumesOf } from './bootstrap.ts';
import type { NodeDirectory } from './directory.ts';
import type { InitArchives } from './init-archives.ts';
import { ipxeScript } from './ipxe.ts';
import { machineOf } from './model.ts';
import { neighbour } from './neighbours.ts';
import type { NodeFiles } from './node-files.ts';
import { MAX_READS_REPORT, type Reads } from './reads.ts';

const log = createLog('boot');

/** Longest report of a failed boot that is read, in bytes. */
const MAX_TROUBLE = 2000;

interface Question {
  ip: string;
  url: URL;
  request: IncomingMessage;
  response: ServerResponse;
}

interface Deps {
  directory: NodeDirectory;
  paths: Pick<Paths, 'bootFiles'>;
  archives: InitArchives;
  reads: Reads;
  files: NodeFiles;
}

export class NodeHttp {
  readonly #deps: Deps;
  readonly #server: Server;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => {
        log.error('request failed', { url: request.url, error: String(error) });
        if (response.headersSent) response.destroy();
        else sendText(response, 500, 'server error');
      });
    });
  }

  /** Resolves to the port: 0 asks the system for a free one. */
  async listen(address: string, port: number): Promise<number> {
    this.#server.listen(port, address);
    await once(this.#server, 'listening');
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null ? bound.port : port;
  }

  /** Ends open connections too: agents hold theirs, and ask the next server. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.parse(request.url ?? '/', 'http://server');
    const ip = request.socket.remoteAddress?.replace(/^::ffff:/, '');
    if (url === null || ip === undefined) return sendText(response, 400, 'bad request');
    const question = { ip, url, request, response };
    const route = `${request.method === 'HEAD' ? 'GET' : request.method} ${url.pathname}`;
    if (route === 'GET /boot/ipxe') return this.#script(question);
    if (route === 'GET /node/poll') return this.#poll(question);
    if (route === 'POST /node/trouble') return this.#trouble(question);
    if (route === 'POST /node/reads') return this.#learn(question);
    const path = decode(url.pathname.slice(1));
    if (path === undefined) return sendText(response, 400, 'bad request');
    const file = request.method === 'POST' ? undefined : await this.#deps.files.open(ip, path);
    if (!file) return sendText(response, 404, 'no such file');
    await sendFile(question, file);
  }

  async #script({ ip, url, request: { socket }, response }: Question): Promise<void> {
    const server = socket.localAddress;
    // Hung up already: nobody is there to read a script.
    if (server === undefined) return;
    const cpu = url.searchParams.get('cpu');
    const request = {
      ip,
      mac: await neighbour(ip),
      claimed: url.searchParams.get('mac')?.toLowerCase(),
      hardware: cpu === null ? undefined : machineOf(cpu),
      loader: 'start.ipxe' as const,
    };
    sendText(response, 200, ipxeScript(await chooseBoot(request, this.#deps), server));
  }

  async #poll({ ip, url, request, response }: Question): Promise<void> {
    const token = request.headers['x-walt-token'];
    const generation = Number(url.searchParams.get('generation') ?? Number.NaN);
    const booted = url.searchParams.get('booted') === '1';
    if (typeof token !== 'string' || !Number.isSafeInteger(generation)) {
      return sendText(response, 400, 'generation and x-walt-token are needed');
    }
    const hangUp = new AbortController();
    response.on('close', () => hangUp.abort());
    const order = await this.#deps.directory.poll(ip, token, { generation, booted }, hangUp.signal);
    if (response.destroyed) return;
    if (order === undefined) return sendText(response, 403, 'wrong token');
    sendText(response, 200, order);
  }

  /** A node that cannot boot says why, so that the journal tells it without a look at the console. */
  async #trouble({ ip, request, response }: Question): Promise<void> {
    const report = await bodyOf(request, MAX_TROUBLE);
    const target = await this.#deps.directory.currentBoot(ip);
    log.warn('node could not boot', { node: target?.name, ip, report });
    sendText(response, 200, 'noted');
  }

  /** What a node has read until it was up, if it was asked to tell. */
  async #learn({ ip, request, response }: Question): Promise<void> {
    const { paths, directory, reads } = this.#deps;
    const report = await bodyOf(request, MAX_READS_REPORT);
    const target = await directory.currentBoot(ip);
    if (!target || request.headers['x-walt-token'] !== target.token) {
      return sendText(response, 403, 'wrong token');
    }
    const record = await readBootRecord(paths, target.digest);
    await reads.learn(volumesOf(target, record), report);
    sendText(response, 200, 'noted');
  }
}

/** A path of a URL; undefined when it is no text. */
function decode(path: string): string | undefined {
  try {
    const text = decodeURIComponent(path);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The first `limit` characters of what was sent. */
async function bodyOf(request: IncomingMessage, limit: number): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > limit) break;
  }
  return body.slice(0, limit);
}

async function sendFile({ request, response }: Question, file: Download): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': file.size });
  if (request.method === 'HEAD') {
    response.end();
    return await file.discard();
  }
  try {
    await pipeline(file.stream(), response);
  } catch (error) {
    // A machine that is switched off while it loads is no fault of the server.
    if (!response.destroyed) throw error;
  }
}

function sendText(response: ServerResponse, status: number, text: string): void {
  const body = Buffer.from(text);
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': body.length });
  response.end(body);
}
