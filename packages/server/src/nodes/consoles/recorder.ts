import { appendFile, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type Log, rarely } from '../../platform/index.ts';
import { ConsoleFollower, type KeepConsole } from './console-follower.ts';
import {
  CONSOLE_LOG_LIMIT,
  CONSOLE_LOG_PATIENCE,
  capConsoleLog,
  consoleLogSize,
  olderConsoleLog,
} from './console-log.ts';

interface Deps {
  /** Of whom lines of a node's console are; undefined: they are not kept. */
  issuerOf(id: number): Promise<string | undefined>;
  keep: KeepConsole;
  log: Log;
}

/**
 * What consoles of real nodes print while somebody has them: written to a file, as QEMU does for a virtual node, of which each line is
 * stored. What could not be stored by the end of a session is when the next one begins.
 */
export class ConsoleRecorder {
  readonly #deps: Deps;
  readonly #unwritten: ReturnType<typeof rarely>;
  /** By node, while its console is open. */
  readonly #followers = new Map<number, ConsoleFollower>();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#unwritten = rarely(deps.log.warn);
  }

  /** Records what `line` prints, once it is resumed. Resolves when it is closed, and all of it is written. */
  async record(id: number, line: Duplex, log: string): Promise<void> {
    const closed = new Promise((done) => line.once('close', done));
    const failed = (error: unknown) =>
      this.#unwritten('cannot record a console', { node: id, error: String(error) }, String(id));
    let writing = mkdir(dirname(log), { recursive: true, mode: 0o700 }).then(() => this.#follow(id, log));
    writing = writing.catch(failed);
    line.on('error', () => {}); // its end tells
    line.on('data', (chunk: Buffer) => {
      // What is not written yet keeps it from printing more.
      line.pause();
      writing = writing
        .then(() => this.#write(id, chunk, log))
        .catch(failed)
        .finally(() => line.resume());
    });
    line.pause();
    await closed;
    await writing;
    await this.#end(id);
  }

  /** Calls `act`, which empties the record. */
  async empty(id: number, act: () => Promise<void>): Promise<void> {
    const follower = this.#followers.get(id);
    await (follower ? follower.empty(() => act().then(() => ({})), true) : act());
  }

  close(): void {
    for (const follower of this.#followers.values()) follower.close();
    this.#followers.clear();
  }

  async #write(id: number, chunk: Buffer, log: string): Promise<void> {
    // Whether it is kept may have been set meanwhile.
    await this.#follow(id, log);
    await appendFile(log, chunk, { mode: 0o600 });
    const size = await consoleLogSize(log);
    if (size <= CONSOLE_LOG_LIMIT) return;
    const putAside = async () => ((await capConsoleLog(log)) ? { copy: olderConsoleLog(log) } : undefined);
    const follower = this.#followers.get(id);
    await (follower ? follower.empty(putAside, size > CONSOLE_LOG_PATIENCE) : putAside());
  }

  /** Has lines stored of what is written from now on, or not any more. */
  async #follow(id: number, log: string): Promise<void> {
    const issuer = await this.#deps.issuerOf(id);
    const before = this.#followers.get(id);
    if (before && before.issuer === issuer) return;
    before?.close();
    this.#followers.delete(id);
    const spool = join(dirname(log), 'console.spool');
    if (issuer === undefined) return await rm(spool, { force: true });
    const { keep, log: journal } = this.#deps;
    this.#followers.set(id, await ConsoleFollower.begin(issuer, { log, spool }, keep, journal));
  }

  async #end(id: number): Promise<void> {
    const follower = this.#followers.get(id);
    // All that can be read is, and nothing is emptied.
    await follower?.empty(async () => undefined, true);
    follower?.close();
    this.#followers.delete(id);
  }
}
