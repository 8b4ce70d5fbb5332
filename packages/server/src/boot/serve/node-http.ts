/** What nodes get over HTTP. Who asks is told by the source address: a node has nothing else to prove itself with. */
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { digestHex } from '@walt/contract';
import {
  createLog,
  defaultLimits,
  HttpListener,
  KeyedTurns,
  type Limits,
  machineRefusal,
  type Paths,
  rarely,
  sendText,
} from '../../platform/index.ts';
import { readBootRecord } from '../boot-files.ts';
import type { BootTarget, NodeDirectory } from '../directory.ts';
import type { InitArchives } from '../initramfs/index.ts';
import { MAX_READS_REPORT, type Reads, volumesOf } from '../initramfs/index.ts';
import { beginKexec, chooseBoot, ipxeScript, machineOf } from '../scripts/index.ts';
import { FileDigests } from './file-digests.ts';
import { neighbour } from './neighbours.ts';
import type { NodeFiles } from './node-files.ts';
import { answerRpc, MAX_QUESTION } from './node-rpc.ts';
import { readReport } from './poll-report.ts';
import { bodyOf, type Question, sendFile } from './questions.ts';
import { answerReport, sendVolume, type VolumeCopies } from './volume-copies.ts';

const log = createLog('boot');

/** Longest report of something that failed, in characters. */
const MAX_TROUBLE = 2000;

/** Longest name of a volume, in characters. */
const MAX_NAME = 200;

/** Bytes of a request's head: ours have some hundred. */
const MAX_HEAD = 8 * 1024;

/** Files that a machine is sent at a time, of which each takes up to some megabytes of memory: loaders ask for one after the other. */
const FILES_EACH = 4;

/** Each node holds a connection: of the server's open files, most are for these. */
const SHARE = 3 / 4;

const warn = rarely(log.warn);
const complain = rarely(log.error);

interface Deps {
  directory: NodeDirectory;
  paths: Pick<Paths, 'bootFiles' | 'volumes'>;
  archives: InitArchives;
  reads: Reads;
  files: Pick<NodeFiles, 'open'>;
  copies: VolumeCopies;
  /** Default: those of a configuration that says nothing. */
  limits?: Limits['machines'];
}

type Answer = (http: NodeHttp, question: Question) => Promise<void>;

export class NodeHttp {
  readonly #deps: Deps;
  readonly #listener: HttpListener;
  readonly #digests = new FileDigests();
  /** By address. */
  readonly #turns = new KeyedTurns(FILES_EACH);

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#listener = new HttpListener({
      ...{
        name: 'node HTTP',
        log,
        limits: deps.limits ?? defaultLimits().machines,
        maxHead: MAX_HEAD,
        share: SHARE,
        cutsReaders: true,
        refusal: machineRefusal,
      },
      answer: (request, response) => this.#answer(request, response),
      failed: (error, response) => {
        complain(
          'request failed',
          { url: response.req.url, error: String(error) },
          response.req.socket.remoteAddress,
        );
        sendText(response, 500, 'server error');
      },
    });
  }

  /** Resolves to the port: 0 asks the system for a free one. */
  listen(address: string, port: number): Promise<number> {
    return this.#listener.listen({ host: address, port });
  }

  /** Ends open connections too: agents hold theirs, and ask the next server. */
  close(): Promise<void> {
    return this.#listener.close();
  }

  /** Ends the connections of a machine that has just started: it knows nothing of them. */
  reset(ip: string): void {
    this.#listener.reset(ip);
  }

  /** What is answered here; every other path is a file. Tests go through it, too. */
  static readonly routes: ReadonlyMap<string, Answer> = new Map<string, Answer>([
    ['GET /boot/ipxe', (http, question) => http.#script(question)],
    ['GET /node/poll', (http, question) => http.#poll(question)],
    ['GET /node/volumes', (http, question) => http.#volumes(question)],
    ['GET /node/kexec', (http, question) => http.#kexec(question)],
    ['POST /node/kexec', (http, question) => http.#withoutKexec(question)],
    ['POST /node/trouble', (http, question) => http.#trouble(question)],
    ['POST /node/disproved', (http, question) => http.#disproved(question)],
    ['POST /node/reads', (http, question) => http.#learn(question)],
    ['POST /node/rpc', (http, question) => http.#rpc(question)],
    ['GET /node/volume', (http, question) => sendVolume(http.#deps, question)],
    ['POST /node/copies', (http, question) => answerReport(http.#deps, question)],
  ]);

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.parse(request.url ?? '/', 'http://server');
    const ip = request.socket.remoteAddress?.replace(/^::ffff:/, '');
    if (url === null || ip === undefined) return sendText(response, 400, 'bad request');
    const question = { ip, url, request, response };
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const answer = NodeHttp.routes.get(`${method} ${url.pathname}`);
    if (answer) return await answer(this, question);
    if (method !== 'GET') return sendText(response, 404, 'no such file');
    const path = decode(url.pathname.slice(1));
    if (path === undefined) return sendText(response, 400, 'bad request');
    this.#deps.directory.asked(ip, 'http', path);
    await this.#turns.take(ip, () => this.#file(question, path));
  }

  async #file(question: Question, path: string): Promise<void> {
    const { ip, response } = question;
    // Hung up, before it was its turn.
    if (response.destroyed) return;
    const file = await this.#deps.files.open(ip, path);
    if (file) await sendFile(question, file);
    else sendText(response, 404, 'no such file');
  }

  async #script({ ip, url, request: { socket }, response }: Question): Promise<void> {
    const server = socket.localAddress;
    // Hung up already: nobody is there to read a script.
    if (server === undefined) return;
    this.#deps.directory.asked(ip, 'http', url.pathname.slice(1));
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
    const report = readReport(url.searchParams);
    if (typeof token !== 'string' || !report) {
      return sendText(response, 400, 'generation and x-walt-token are needed');
    }
    const hangUp = new AbortController();
    response.on('close', () => {
      if (!response.writableEnded) hangUp.abort();
    });
    const order = await this.#deps.directory.poll(ip, token, report, hangUp.signal);
    if (response.destroyed) return;
    if (order === undefined) return sendText(response, 403, 'wrong token');
    sendText(response, 200, order);
  }

  /** What a node's disk is to hold: name, bytes and SHA-256 of each volume, in a line. */
  async #volumes(question: Question): Promise<void> {
    const { paths } = this.#deps;
    const target = await this.#proven(question);
    if (!target) return;
    const lines: string[] = [];
    for (const volume of volumesOf(target, await readBootRecord(paths, target.digest))) {
      const path = join(paths.volumes, volume);
      const [{ size }, digest] = await Promise.all([stat(path), this.#digests.of(path)]);
      lines.push(`${volume} ${size} ${digestHex(digest)}\n`);
    }
    sendText(question.response, 200, lines.join(''));
  }

  /** For a node that is about to reboot: what its kernel is to start next. Nothing: its firmware is to boot it. */
  async #kexec({ ip, request, response }: Question): Promise<void> {
    const next = await beginKexec(ip, request.headers['x-walt-token'], this.#deps);
    if (next === undefined) return sendText(response, 403, 'wrong token');
    sendText(response, 200, next);
  }

  /** A node that cannot start its next kernel says why: its firmware boots it. */
  async #withoutKexec(question: Question): Promise<void> {
    const target = await this.#proven(question);
    if (!target) return;
    const reason = await bodyOf(question.request, MAX_TROUBLE);
    await this.#deps.directory.withoutKexec(question.ip, reason);
    sendText(question.response, 200, 'noted');
  }

  /** A node that cannot boot says why, so that the journal tells it without a look at the console. */
  async #trouble({ ip, request, response }: Question): Promise<void> {
    const report = await bodyOf(request, MAX_TROUBLE);
    const node = await this.#deps.directory.failed(ip, report);
    warn('node could not boot', { node, ip, report }, ip);
    sendText(response, 200, 'noted');
  }

  /** A volume that a node mounts from a host, and in which it found other bytes than the server has. */
  async #disproved(question: Question): Promise<void> {
    if (!(await this.#proven(question))) return;
    await this.#deps.directory.disproved(question.ip, await bodyOf(question.request, MAX_NAME));
    sendText(question.response, 200, 'noted');
  }

  /** What a node has read until it was up, if it was asked to tell. */
  async #learn(question: Question): Promise<void> {
    const { request, response } = question;
    const { paths, reads } = this.#deps;
    const target = await this.#proven(question);
    if (!target) return;
    const report = await bodyOf(request, MAX_READS_REPORT);
    const record = await readBootRecord(paths, target.digest);
    await reads.learn(volumesOf(target, record), report);
    sendText(response, 200, 'noted');
  }

  /** What a script on a node wants. */
  async #rpc(question: Question): Promise<void> {
    const { request, response } = question;
    const target = await this.#proven(question);
    if (!target) return;
    const answer = await answerRpc(await bodyOf(request, MAX_QUESTION), {
      pluggedInto: (place) => this.#deps.directory.pluggedInto(target.mac, place),
    });
    if (!response.destroyed) sendText(response, 200, answer);
  }

  /** The boot of the node that asks, if it knows its token; else it is told so. */
  async #proven({ ip, request, response }: Question): Promise<BootTarget | undefined> {
    const target = await this.#deps.directory.currentBoot(ip);
    if (target && request.headers['x-walt-token'] === target.token) return target;
    sendText(response, 403, 'wrong token');
    return undefined;
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
