import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { PLATFORM_ISSUER } from '@walt/contract';
import {
  answers,
  type Config,
  createLog,
  eventText,
  type Fields,
  hasErrno,
  type Log,
  type Paths,
  type Programs,
  projectFile,
  UserError,
} from '../platform/index.ts';
import type { ProgramFigures, Questions } from './program/index.ts';

/** Milliseconds between two tries to hand over lines of the platform. */
const RETRY = 500;
/** Lines of the platform that wait for the program; beyond it, the newest are dropped, and counted. */
const MAX_WAITING = 10_000;
/** Lines that are handed over together. */
const TOGETHER = 200;
/** Characters of a line that are kept. */
const MAX_TEXT = 1000;
/** Milliseconds that an answer may take to begin. */
const PATIENCE = 60_000;

/** Milliseconds that a look at how it is may take. */
const GLANCE = 2000;

/** Milliseconds that it may be away until a question fails, and between two looks. */
const RESTART = 10_000;
const RESTART_LOOK = 50;

const PROGRAM = 'walt-logs';

/** Parts of the server whose journal tells what happens to what users see. */
const PLATFORM_AREAS: ReadonlySet<string> = new Set(['nodes', 'boot', 'devices', 'images']);

const NEWLINE = Buffer.from('\n');

interface Reached {
  reached: number;
}

interface Waiting {
  stream: string;
  /** Microseconds of Unix time. */
  time: number;
  text: string;
  /** Its number. */
  node: number | undefined;
}

/**
 * Starts the program that keeps lines, or adopts one of the same version. `nodes` are the first and the last address that nodes have;
 * other machines have those behind them, up to `end`.
 */
export async function startLogProgram(
  programs: Pick<Programs, 'ensure'>,
  paths: Pick<Paths, 'logSocket'>,
  network: { server: string; nodes: { first: string; last: string }; end: string },
  settings: Config['logs'],
): Promise<void> {
  const file = projectFile('dist/server/logs.js');
  // Another build is another program: its file names its parts by what is in them. So are other settings.
  const build = createHash('sha256')
    .update(await readFile(file))
    .update(JSON.stringify(settings))
    .digest('hex')
    .slice(0, 12);
  const { server, nodes, end } = network;
  await programs.ensure({
    name: PROGRAM,
    argv: [process.execPath, '--enable-source-maps', file, server, nodes.first, nodes.last, end, build],
    ready: () => answers({ path: paths.logSocket }),
  });
}

/** The program that keeps lines, as the server asks it. */
export class Logs {
  readonly #socket: string;
  readonly #log: Log;
  readonly #waiting: Waiting[] = [];
  #nameOf: (node: number) => Promise<string | undefined> = async () => undefined;
  #dropped = 0;
  #allDropped = 0;
  #sending = false;
  #closed = false;

  constructor(paths: Pick<Paths, 'logSocket'>, log: Log) {
    this.#socket = paths.logSocket;
    this.#log = log;
  }

  /**
   * The server's journal of an area, whose lines are also lines of the platform: in stream `platform.AREA` what happens to nodes,
   * devices and images, in `daemon.AREA` the rest.
   */
  journal(area: string): Log {
    const journal = createLog(area);
    const stream = `${PLATFORM_AREAS.has(area) ? 'platform' : 'daemon'}.${area}`;
    const both =
      (level: keyof Log) =>
      (message: string, fields: Fields = {}) => {
        journal[level](message, fields);
        const { node, ...rest } = fields;
        if (typeof node === 'number') this.tell(stream, eventText(message, rest), node);
        else this.tell(stream, eventText(message, fields));
      };
    return { info: both('info'), warn: both('warn'), error: both('error') };
  }

  /** From now on, lines about nodes begin with what these are called. */
  nameNodes(nameOf: (node: number) => Promise<string | undefined>): void {
    this.#nameOf = nameOf;
  }

  /** Logs a line of the platform, about a node if one is given. It waits in memory while the program is away. */
  tell(stream: string, text: string, node?: number): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#dropped += 1;
      this.#allDropped += 1;
    } else this.#waiting.push({ stream, time: Date.now() * 1000, text: text.slice(0, MAX_TEXT), node });
    void this.#send();
  }

  /** What program/queries.ts tells of a query. Throws UserError UNAVAILABLE while the program is away. */
  async read(query: Questions['/query'], signal: AbortSignal): Promise<IncomingMessage> {
    return await this.#ask('/query', query, signal);
  }

  /** Stores lines of a file; answers how many of them were not there before. */
  async import(lines: Questions['/import']): Promise<number> {
    const { stored } = JSON.parse(await textOf(await this.#ask('/import', lines))) as { stored: number };
    return stored;
  }

  /** Stores what a console printed, unless it is stored. Answers how far it is. */
  async keepConsole({ lines, ...part }: Omit<Questions['/spooled'], 'text'> & { lines: readonly Buffer[] }) {
    const text = Buffer.concat(lines.flatMap((line) => [line, NEWLINE])).toString('base64');
    const { reached } = JSON.parse(await textOf(await this.#ask('/spooled', { ...part, text }))) as Reached;
    return reached;
  }

  /** Removes all lines of nodes that have none of these addresses any more. */
  async keep(addresses: readonly string[]): Promise<void> {
    (await this.#ask('/keep', { issuers: [...addresses, PLATFORM_ISSUER] })).resume();
  }

  /** What the program counts. Throws UserError UNAVAILABLE while it is away. */
  async figures(signal?: AbortSignal): Promise<ProgramFigures> {
    return JSON.parse(await textOf(await this.#ask('/figures', {}, signal)));
  }

  /** Since when lines cannot be stored, in Unix seconds, and why. Null: they can. */
  async outage(): Promise<{ since: number | null; reason: string } | null> {
    try {
      return (await this.figures(AbortSignal.timeout(GLANCE))).outage;
    } catch {
      return { since: null, reason: `${PROGRAM} does not answer` };
    }
  }

  /** Lines of the platform that wait for the program, and those that were dropped since the start. */
  get own(): { waiting: number; dropped: number } {
    return { waiting: this.#waiting.length, dropped: this.#allDropped };
  }

  /** Ends without what still waits. */
  close(): void {
    this.#closed = true;
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#waiting.length > 0 && !this.#closed) {
      const some = this.#waiting.slice(0, TOGETHER);
      try {
        const lines = await Promise.all(some.map((line) => this.#named(line)));
        (await this.#ask('/append', { issuer: PLATFORM_ISSUER, lines })).resume();
        this.#waiting.splice(0, some.length);
        if (this.#dropped === 0 || this.#waiting.length > 0) continue;
        const text = `${this.#dropped} lines of the platform were lost: too many came while none could be stored.`;
        this.#dropped = 0;
        this.tell('platform.logs', text);
      } catch {
        await delay(RETRY, undefined, { ref: false });
      }
    }
    this.#sending = false;
  }

  async #named({ node, text, ...line }: Waiting): Promise<Questions['/append']['lines'][number]> {
    if (node === undefined) return { ...line, text };
    const name = await this.#nameOf(node);
    return { ...line, text: name === undefined ? `${text} node=${node}` : `${name}: ${text}` };
  }

  /** Copies all lines, those of one moment, into the new file `to`. False: they are not in a file. However long it takes. */
  async copy(to: string): Promise<boolean> {
    const response = await this.#ask('/copy', { to }, new AbortController().signal);
    return (JSON.parse(await textOf(response)) as { copied: boolean }).copied;
  }

  async #ask<Path extends keyof Questions>(
    path: Path,
    question: Questions[Path],
    signal = AbortSignal.timeout(PATIENCE),
  ): Promise<IncomingMessage> {
    const response = await this.#post(path, JSON.stringify(question), signal);
    if (response.statusCode === 200) return response;
    const { code, message, hint } = JSON.parse(await textOf(response)) as UserError;
    if (code) throw new UserError(code, message, hint);
    this.#log.warn('the program that keeps lines refuses', { path, status: response.statusCode });
    throw away();
  }

  /** Waits for the program where it is just being started again. */
  async #post(path: string, body: string, signal: AbortSignal): Promise<IncomingMessage> {
    for (const end = Date.now() + RESTART; ; ) {
      const sent = request({ socketPath: this.#socket, path, method: 'POST', signal });
      sent.on('error', () => {}); // `once` tells of it
      sent.end(body);
      try {
        const [response] = (await once(sent, 'response')) as [IncomingMessage];
        return response;
      } catch (error) {
        // Not there at all: nothing was sent.
        const absent = hasErrno(error, 'ENOENT', 'ECONNREFUSED');
        if (!absent && !hasErrno(error, 'ECONNRESET', 'EPIPE')) throw error;
        if (!absent || Date.now() > end) throw away();
        await delay(RESTART_LOOK, undefined, { signal });
      }
    }
  }
}

function away(): UserError {
  return new UserError(
    'UNAVAILABLE',
    'The program that keeps the lines of logs does not answer.',
    'Repeat the command in some seconds; `walt advanced server-status` tells how it is.',
  );
}
