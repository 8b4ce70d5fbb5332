/** What nodes get over HTTP. Who asks is told by the source address: a node has nothing else to prove itself with. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createLog, joinInside, type Paths } from '../platform/index.ts';
import { type Download, imageBootFolder, openDownload, readBootRecord } from './boot-files.ts';
import { chooseScript } from './boot-script.ts';
import { bootstrapDocument } from './bootstrap.ts';
import type { NodeDirectory } from './directory.ts';
import { identityTar } from './identity.ts';
import { renderTemplate } from './image-spec.ts';
import { InitArchives } from './init-archives.ts';
import { neighbour } from './neighbours.ts';
import { type ServerAddress, templateValues } from './trees.ts';
import { servedFolder } from './walt-image.ts';

const log = createLog('boot');

/** `/boot/files/HEX/NAME`. */
const BOOT_FILE = /^\/boot\/files\/([0-9a-f]{64})\/(?:(vmlinuz)|initramfs-(virtual|pc))$/;

/** `/boot/PATH`: what an image has in `/boot/MODEL`, for images that bring their own boot scripts. */
const IMAGE_FILE = /^\/boot\/(.+)$/;

/** Longest report of a failed boot that is read, in bytes. */
const MAX_REPORT = 2000;

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
    address: ServerAddress;
  };
  readonly #server: Server;

  constructor(directory: NodeDirectory, paths: Pick<Paths, 'bootFiles' | 'cache'>, address: ServerAddress) {
    this.#deps = { directory, paths, address, archives: new InitArchives(paths) };
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
    if (route === 'GET /node/bootstrap') return this.#bootstrap(question);
    if (route === 'GET /node/identity.tar') return this.#identity(question);
    if (route === 'GET /node/poll') return this.#poll(question);
    if (route === 'POST /node/trouble') return this.#trouble(question);
    const file = request.method === 'POST' ? null : BOOT_FILE.exec(url.pathname);
    if (file) return this.#file(question, file[1], file[3]);
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

  async #file({ request, response }: Question, hex = '', modelClass?: string): Promise<void> {
    const digest = `sha256:${hex}`;
    const record = await readBootRecord(this.#deps.paths, digest);
    const folder = imageBootFolder(this.#deps.paths, digest);
    const download =
      record &&
      (modelClass === undefined
        ? await openDownload(join(folder, 'vmlinuz'))
        : await openDownload(
            join(folder, `modules-${modelClass}`),
            await this.#deps.archives.get(record.architecture),
          ));
    await this.#send(request, response, download);
  }

  async #imageFile({ ip, request, response }: Question, path = ''): Promise<void> {
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
    await this.#send(request, response, await openDownload(joinInside(folder, name)));
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    download: Download | undefined,
  ): Promise<void> {
    if (!download) return sendText(response, 404, 'no such file');
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': download.size });
    if (request.method === 'HEAD') {
      response.end();
      return await download.discard();
    }
    try {
      await pipeline(download.stream(), response);
    } catch (error) {
      // A machine that is switched off while it loads is no fault of the server.
      if (!response.destroyed) throw error;
    }
  }

  async #bootstrap({ ip, response }: Question): Promise<void> {
    const target = await this.#deps.directory.currentBoot(ip);
    if (!target) return sendText(response, 404, 'unknown node');
    const record = await readBootRecord(this.#deps.paths, target.digest);
    sendText(response, 200, bootstrapDocument(target, Date.now() / 1000, record));
  }

  async #identity({ ip, response }: Question): Promise<void> {
    const target = await this.#deps.directory.currentBoot(ip);
    if (!target) return sendText(response, 404, 'unknown node');
    const record = await readBootRecord(this.#deps.paths, target.digest);
    send(response, 200, 'application/x-tar', await identityTar(target, record?.loan?.files));
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
    let report = '';
    for await (const chunk of request.setEncoding('utf8')) {
      report += chunk;
      if (report.length > MAX_REPORT) break;
    }
    const target = await this.#deps.directory.currentBoot(ip);
    log.warn('node could not boot', { node: target?.name, ip, report: report.slice(0, MAX_REPORT) });
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

function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, 'text/plain; charset=utf-8', Buffer.from(text));
}

function send(response: ServerResponse, status: number, type: string, body: Buffer): void {
  response.writeHead(status, { 'content-type': type, 'content-length': body.length });
  response.end(body);
}
