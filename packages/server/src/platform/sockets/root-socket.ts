/** What root's own programs ask a running server: by HTTP through a socket that nobody else may open. Answers are lines of JSON. */

import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { isUserError, UserError } from '../errors.ts';
import type { Log } from '../logs/index.ts';
import { type HttpLimits, HttpListener } from './http-listener.ts';

/** Answers a line for each value. The signal tells that who asked has gone. */
export type RootAct = (signal: AbortSignal) => AsyncIterable<unknown>;

export class RootSocket {
  readonly #listener: HttpListener;
  readonly #acts: Readonly<Record<string, RootAct>>;

  constructor({
    acts,
    limits,
    log,
  }: { acts: Readonly<Record<string, RootAct>>; limits: HttpLimits; log: Log }) {
    this.#acts = acts;
    this.#listener = new HttpListener({
      ...{ name: 'root', log, limits, maxHead: 16 * 1024 },
      answer: (asked, response) => this.#answer(asked, response),
      failed: (error, response) => response.destroy(error instanceof Error ? error : undefined),
      refusal: () => ({ status: 503, type: 'application/json', text: '{}' }),
    });
  }

  listen(path: string): Promise<void> {
    return this.#listener.listenForRoot(path);
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  async #answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const act = this.#acts[asked.url?.slice(1) ?? ''] ?? unknown;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.writeHead(200, { 'content-type': 'application/json' });
    const tell = async (value: unknown) => {
      if (!response.write(`${JSON.stringify(value)}\n`))
        await once(response, 'drain', { signal: gone.signal });
    };
    try {
      for await (const value of act(gone.signal)) await tell({ value });
      await tell({ end: true });
    } catch (error) {
      if (gone.signal.aborted) return;
      const { code, message, hint } = isUserError(error)
        ? error
        : {
            code: 'EXTERNAL' as const,
            message: String(error),
            hint: 'The journal tells more: walt-server journal',
          };
      await tell({ failure: { code, message, hint } });
    }
    response.end();
  }
}

/** What only programs of another version ask. */
const unknown: RootAct = () => {
  throw new UserError(
    'UNAVAILABLE',
    'The server that runs is of another version, and does not know this.',
    'Start the one of this version, nodes go on: walt-server restart',
  );
};

/**
 * Asks a running server. Throws UserError: what it says, and UNAVAILABLE when it ends in between, or the signal is aborted. Who stops
 * to read tells it that he has gone.
 */
export async function* askServer(socket: string, act: string, signal?: AbortSignal): AsyncGenerator<unknown> {
  const asking = request({ socketPath: socket, path: `/${act}`, ...(signal && { signal }) });
  asking.on('error', () => {});
  asking.end();
  try {
    const [response] = (await once(asking, 'response').catch(() => [])) as [IncomingMessage?];
    for await (const line of response ? linesOf(response) : []) {
      const { value, end, failure } = JSON.parse(line);
      if (end) return;
      if (failure) throw new UserError(failure.code, failure.message, failure.hint);
      yield value;
    }
    throw new UserError('UNAVAILABLE', 'The server ended meanwhile.', 'Repeat the command.');
  } finally {
    asking.destroy();
  }
}

/** A server that ends resets the connection: then there is no line of an end. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}
