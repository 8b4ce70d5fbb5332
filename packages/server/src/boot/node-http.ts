/** What nodes get over HTTP. Who asks is told by the source address: a node has nothing else to prove itself with. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createLog, joinInside, type Paths } from '../platform/index.ts';
import { type Download, imageBootFolder, openDownload, readBootRecord } from './boot-files.ts';
import { chooseScript } from './boot-script.ts';
import { bootstrapDocument, volumesOf } from './bootstrap.ts';
import type { NodeDirectory } from './directory.ts';
import { identityTree } from './identity.ts';
import { renderTemplate } from './image-spec.ts';
import { InitArchives } from './init-archives.ts';
import { nodeArchive } from './initramfs.ts';
import { neighbour } from './neighbours.ts';
import { MAX_READS_REPORT, type Reads } from './reads.ts';
import { type ServerAddress, templateValues } from './trees.ts';
import { servedFolder } from './walt-image.ts';

const log = createLog('boot');

/** `/boot/files/HEX/NAME`. */
const BOOT_FILE = /^\/boot\/files\/([0-9a-f]{64})\/(vmlinuz)$/;

/** `/boot/PATH`: what an image has in `/boot/MODEL`, for images that bring their own boot scripts. */
const IMAGE_FILE = /^\/boot\/(.+)$/;

/** Longest report of a failed boot that is read, in bytes. */
const MAX_TROUBLE = 2000;

interface Question {
  ip: string;
  url: URL;
  request: IncomingMessage;
  response: ServerResponse;
}

export class NodeHttp {
  readonly #deps: {
    directory: NodeDirectory;
    paths: Pick<Paths, 'bootFiles'>;
    archives: InitArchives;
    reads: Reads;
    address: ServerAddress;
  };
  readonly #server: Server;

  constructor(
    directory: NodeDirectory,
    {
      paths,
      reads,
      address,
    }: { paths: Pick<Paths, 'bootFiles' | 'cache'>; reads: Reads; address: ServerAddress },
  ) {
    this.#deps = { directory, paths, archives: new InitArchives(paths), reads, address };
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
    if (route === 'GET /node/initramfs') return this.#initramfs(question);
    if (route === 'GET /node/archive') return this.#archive(question);
    if (route === 'GET /node/poll') return this.#poll(question);
    if (route === 'POST /node/trouble') return this.#trouble(question);
    if (route === 'POST /node/reads') return this.#learn(question);
    const file = request.method === 'POST' ? null : BOOT_FILE.exec(url.pathname);
    if (file) return this.#file(question, file[1], file[2]);
    const served = request.method === 'POST' ? null : IMAGE_FILE.exec(url.pathname);
    if (served) return this.#imageFile(question, served[1]);
    sendText(response, 404, 'no such page');
  }

  async #script({ ip, url, request, response }: Question): Promise<void> {
    const server = request.socket.localAddress;
    // Hung up already: nobody is there to read a script.
    if (server === undefined) return;
    const question = { ip, mac: await neighbour(ip), server, query: url.searchParams };
    sendText(response, 200, await chooseScript(question, this.#deps));
  }

  async #file(question: Question, hex = '', name = ''): Promise<void> {
    const folder = imageBootFolder(this.#deps.paths, `sha256:${hex}`);
    await sendFile(question, await openDownload(join(folder, name)));
  }

  async #imageFile(question: Question, path = ''): Promise<void> {
    const { ip, response } = question;
    const { directory, paths, address } = this.#deps;
    const target = await directory.currentBoot(ip);
    const record = target && (await readBootRecord(paths, target.digest));
    if (!target || !record?.walt) return sendText(response, 404, 'no such file');
    const name = decode(path);
    if (name === undefined) return sendText(response, 400, 'bad request');
    const template = record.walt.templates.find(({ served }) => served.includes(`${target.model}/${name}`));
    if (template) {
      const values = templateValues(target.digest, target.size, address);
      return sendText(response, 200, renderTemplate(template.content, values));
    }
    const folder = servedFolder(imageBootFolder(paths, target.digest), target.model);
    await sendFile(question, await openDownload(joinInside(folder, name)));
  }

  /** For the node that asks: it names no image, so that it gets what its boot script was made for. */
  async #initramfs(question: Question): Promise<void> {
    const { paths, directory, archives, reads } = this.#deps;
    const target = await directory.currentBoot(question.ip);
    const record = target && (await readBootRecord(paths, target.digest));
    if (!target || !record) return sendText(question.response, 404, 'unknown node');
    const modules = join(imageBootFolder(paths, target.digest), `modules-${target.modelClass}`);
    const { complete, ranges } = await reads.of(volumesOf(target, record));
    const document = bootstrapDocument(target, Date.now() / 1000, record, !complete);
    const [head, tail] = await Promise.all([
      archives.get(record.architecture),
      nodeArchive(document, ranges, identityTree(target, record.loan?.files)),
    ]);
    await sendFile(question, await openDownload(modules, { head, tail }));
  }

  /** What only this node must know, for one whose initramfs is not ours. */
  async #archive({ ip, response }: Question): Promise<void> {
    const target = await this.#deps.directory.currentBoot(ip);
    const record = target && (await readBootRecord(this.#deps.paths, target.digest));
    if (!target || !record) return sendText(response, 404, 'unknown node');
    const document = bootstrapDocument(target, Date.now() / 1000, record);
    const archive = await nodeArchive(document, [], identityTree(target, record.loan?.files));
    send(response, 200, 'application/octet-stream', archive);
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

/** A path of a URL, normalized; undefined for one that leads outside or is no text. */
function decode(path: string): string | undefined {
  try {
    const name = posix.normalize(decodeURIComponent(path));
    return /^(?:\/|\.\.(?:\/|$))|\0/.test(name) ? undefined : name;
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

async function sendFile({ request, response }: Question, file: Download | undefined): Promise<void> {
  if (!file) return sendText(response, 404, 'no such file');
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
  send(response, status, 'text/plain; charset=utf-8', Buffer.from(text));
}

function send(response: ServerResponse, status: number, type: string, body: Buffer): void {
  response.writeHead(status, { 'content-type': type, 'content-length': body.length });
  response.end(body);
}
