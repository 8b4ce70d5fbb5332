import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { PLATFORM_ISSUER } from '@walt/contract';
import {
  answers,
  hasErrno,
  type Log,
  type Paths,
  type Programs,
  projectFile,
  UserError,
} from '../platform/index.ts';
import type { Questions } from './program/index.ts';

/** Milliseconds between two tries to hand over lines of the platform. */
const RETRY = 500;
/** Lines of the platform that wait for the program; beyond it, the newest are dropped, and counted. */
const MAX_WAITING = 10_000;
/** Milliseconds that an answer may take to begin. */
const PATIENCE = 60_000;

const PROGRAM = 'walt-logs';

/**
 * Starts the program that keeps lines, or adopts one of the same version. `nodes` are the first and the last address that nodes have.
 */
export async function startLogProgram(
  programs: Pick<Programs, 'ensure'>,
  paths: Pick<Paths, 'logSocket'>,
  network: { server: string; nodes: { first: string; last: string } },
): Promise<void> {
  const file = projectFile('dist/server/logs.js');
  // Another build is another program: its file names its parts by what is in them.
  const build = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
    .slice(0, 12);
  const { server, nodes } = network;
  await programs.ensure({
    name: PROGRAM,
    argv: [process.execPath, '--enable-source-maps', file, server, nodes.first, nodes.last, build],
    ready: () => answers({ path: paths.logSocket }),
  });
}

/** The program that keeps lines, as the server asks it. */
export class Logs {
  readonly #socket: string;
  readonly #log: Log;
  #waiting: Questions['/append']['lines'] = [];
  #dropped = 0;
  #sending = false;
  #closed = false;

  constructor(paths: Pick<Paths, 'logSocket'>, log: Log) {
    this.#socket = paths.logSocket;
    this.#log = log;
  }

  /** Logs a line of the platform, in that stream (`platform.…`). It waits in memory while the program is away. */
  tell(stream: string, line: string): void {
    if (this.#waiting.length >= MAX_WAITING) this.#dropped += 1;
    else this.#waiting.push({ stream, time: Date.now() * 1000, text: line });
    void this.#send();
  }

  /** What program/queries.ts tells of a query. Throws UserError UNAVAILABLE while the program is away. */
  async read(query: Questions['/query'], signal: AbortSignal): Promise<IncomingMessage> {
    return await this.#ask('/query', query, signal);
  }

  /** Removes all lines of nodes that have none of these addresses any more. */
  async keep(addresses: readonly string[]): Promise<void> {
    (await this.#ask('/keep', { issuers: [...addresses, PLATFORM_ISSUER] })).resume();
  }

  /** Ends without what still waits. */
  close(): void {
    this.#closed = true;
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#waiting.length > 0 && !this.#closed) {
      const lines = this.#waiting.slice(0, 500);
      try {
        (await this.#ask('/append', { issuer: PLATFORM_ISSUER, lines })).resume();
        this.#waiting.splice(0, lines.length);
        if (this.#dropped > 0 && this.#waiting.length === 0) {
          const words = `${this.#dropped} lines of the platform were lost while the program that keeps them was away.`;
          this.#dropped = 0;
          this.#waiting.push({ stream: 'platform.logs', time: Date.now() * 1000, text: words });
        }
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY).unref());
      }
    }
    this.#sending = false;
  }

  async #ask<Path extends keyof Questions>(
    path: Path,
    question: Questions[Path],
    signal = AbortSignal.timeout(PATIENCE),
  ): Promise<IncomingMessage> {
    const sent = request({ socketPath: this.#socket, path, method: 'POST', signal });
    sent.on('error', () => {}); // `once` tells of it
    sent.end(JSON.stringify(question));
    const [response] = (await once(sent, 'response').catch((error: unknown) => {
      throw hasErrno(error, 'ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE') ? away() : error;
    })) as [IncomingMessage];
    if (response.statusCode === 200) return response;
    const { code, message, hint } = JSON.parse(await text(response)) as UserError;
    if (code) throw new UserError(code, message, hint);
    this.#log.warn('the program that keeps lines refuses', { path, status: response.statusCode });
    throw away();
  }
}

function away(): UserError {
  return new UserError(
    'UNAVAILABLE',
    'The program that keeps the lines of logs does not answer.',
    'Repeat the command in some seconds; `walt advanced server-status` tells how it is.',
  );
}
