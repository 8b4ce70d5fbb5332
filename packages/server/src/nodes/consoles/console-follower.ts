import { randomBytes } from 'node:crypto';
import { watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import {
  hasErrno,
  KeyedLock,
  type Log,
  rarely,
  readIfPresent,
  writeFileAtomic,
} from '../../platform/index.ts';
import { LineBudget } from './line-budget.ts';

/** What a console printed, on its way to where lines are kept. */
export interface ConsolePart {
  /** Address of the node. */
  issuer: string;
  stream: string;
  /** These lines are bytes `from` to `reached` of that spool. */
  spool: string;
  from: number;
  reached: number;
  /** Of the first line, in microseconds of Unix time; of each other one, a microsecond later. */
  time: number;
  lines: readonly Buffer[];
}

/** Stores lines, unless that spool is stored farther than `from` already. Answers how far it is. */
export type KeepConsole = (part: ConsolePart) => Promise<number>;

const STREAM = 'console';
/** Bytes that are read at a time, and those of a line that is kept as one. */
const PORTION = 256 * 1024;
const MAX_LINE = 64 * 1024;
/** Milliseconds between two looks at a console that prints, and between two tries to have lines stored. */
const PAUSE = 100;
const RETRY = 500;

const SPOOL = /^console\.[\w-]{1,40}$/;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

interface Files {
  /** What the console prints. */
  log: string;
  /** Name of the spool that the log is just now. Without such a file, what the log has is not kept. */
  spool: string;
}

/** Has each line stored that a console prints, once, whoever is restarted meanwhile. Its log is emptied by `empty` alone. */
export class ConsoleFollower {
  readonly issuer: string;
  readonly #files: Files;
  readonly #keep: KeepConsole;
  readonly #warn: Log['warn'];
  readonly #end = new AbortController();
  readonly #turns = new KeyedLock();
  readonly #budget = new LineBudget(performance.now());
  #spool: string;
  /** How far the log was read, and its spool is stored. Undefined: not known yet. */
  #read: number | undefined;
  #stored = 0;
  /** What was read, and is not stored yet. */
  #waiting: ConsolePart | undefined;
  /** Lines that were not kept since one was. */
  #dropped = 0;
  /** The time that the next line has at least. */
  #next = 0;

  /** Begins where an earlier one ended, or behind what the log has by now. */
  static async begin(issuer: string, files: Files, keep: KeepConsole, log: Log): Promise<ConsoleFollower> {
    const noted = await readIfPresent(files.spool);
    const spool = noted !== undefined && SPOOL.test(noted) ? noted : undefined;
    // The machine makes it only as it starts.
    await using file = await open(files.log, 'a', 0o600);
    const start = spool ? undefined : (await file.stat()).size;
    const follower = new ConsoleFollower(issuer, files, keep, log, spool ?? '');
    if (start !== undefined) await follower.#begin(start);
    void follower.#run();
    return follower;
  }

  private constructor(issuer: string, files: Files, keep: KeepConsole, log: Log, spool: string) {
    this.issuer = issuer;
    this.#files = files;
    this.#keep = keep;
    this.#warn = rarely(log.warn);
    this.#spool = spool;
  }

  /** Nothing more is read. */
  close(): void {
    this.#end.abort();
  }

  /**
   * Calls `act`, which empties the log, once all is read that can be. It answers whether it did, and where the log is now. `force`:
   * also while lines cannot be stored; else, that is for later then.
   */
  async empty(act: () => Promise<{ copy?: string } | undefined>, force: boolean): Promise<void> {
    await this.#turns.hold('', async () => {
      const isReady = await this.#readAll(this.#files.log);
      if (!isReady && !force) return;
      const done = await act();
      if (!done) return;
      if (done.copy && isReady) await this.#readAll(done.copy, true);
      await this.#begin(0);
    });
  }

  /** False: what was read cannot be stored just now. */
  async #readAll(log: string, isOver = false): Promise<boolean> {
    try {
      while (await this.#step(log, isOver));
      return true;
    } catch {
      return false;
    }
  }

  /** From now on, the log is another spool, and read from `start` on. What waits is stored as what it was. */
  async #begin(start: number): Promise<void> {
    this.#spool = `console.${randomBytes(9).toString('base64url')}`;
    await writeFileAtomic(this.#files.spool, this.#spool, 0o600);
    this.#read = start;
    this.#stored = 0;
    if (start > 0) this.#waiting ??= this.#part(start, []);
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        using change = changeOf(this.#files.log, signal);
        if (!(await this.#turns.hold('', () => this.#step(this.#files.log)))) {
          await change.comes(this.#dropped > 0 ? this.#budget.wait(performance.now()) : undefined);
        }
        await delay(PAUSE, undefined, { signal }).catch(() => {});
      } catch (error) {
        // It is going away with its machine.
        if (!hasErrno(error, 'ENOENT')) this.#warn('lines of a console wait', { error: String(error) });
        await delay(RETRY, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Reads something, has it stored. False: there is nothing new. `isOver`: nothing comes any more to where it reads. */
  async #step(log: string, isOver = false): Promise<boolean> {
    if (this.#waiting) await this.#send(this.#waiting);
    if (this.#read === undefined) {
      const nothing = { from: 0, reached: 0, time: 0, lines: [] };
      this.#stored = await this.#keep({
        issuer: this.issuer,
        stream: STREAM,
        spool: this.#spool,
        ...nothing,
      });
      this.#read = this.#stored;
    }
    await using file = await open(log, 'r');
    // It was emptied, and the server ended before it could note so.
    if (!isOver && (await file.stat()).size < this.#read) await this.#begin(0);
    const { lines, length } = await portion(file, this.#read, isOver);
    this.#read += length;
    const now = performance.now();
    // Once one is dropped, all that were read with it are.
    const kept = lines.filter((line) => this.#budget.takes(line.length, now));
    const before = this.#dropped;
    const isTold = before > 0 && (kept.length > 0 || this.#budget.wait(now) === 0);
    this.#dropped = lines.length - kept.length + (isTold ? 0 : before);
    if (isTold) kept.unshift(dropped(before));
    // What is dropped only is not noted: who begins anew here reads it again, and counts it.
    if (kept.length === 0) return length > 0;
    this.#waiting = this.#part(this.#read, kept);
    await this.#send(this.#waiting);
    return true;
  }

  #part(reached: number, lines: readonly Buffer[]): ConsolePart {
    const time = Math.max(Date.now() * 1000, this.#next);
    this.#next = time + lines.length;
    const { issuer } = this;
    return { issuer, stream: STREAM, spool: this.#spool, from: this.#stored, reached, time, lines };
  }

  async #send(part: ConsolePart): Promise<void> {
    const reached = await this.#keep(part);
    this.#waiting = undefined;
    if (part.spool === this.#spool) this.#stored = reached;
  }
}

function dropped(count: number): Buffer {
  return Buffer.from(`walt: ${count} lines were dropped here: the console prints more than is kept`);
}

/** Whole lines of a file from a byte on, and how many bytes they are; at its end, what has no newline is a line if it is `isOver`. */
async function portion(
  file: FileHandle,
  from: number,
  isOver: boolean,
): Promise<{ lines: Buffer[]; length: number }> {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(PORTION), 0, PORTION, from);
  const bytes = buffer.subarray(0, bytesRead);
  let length = bytes.lastIndexOf(NEWLINE) + 1;
  if (length === 0 && (isOver || bytesRead >= MAX_LINE)) length = Math.min(bytesRead, MAX_LINE);
  const lines: Buffer[] = [];
  for (let at = 0; at < length; ) {
    const newline = bytes.subarray(0, length).indexOf(NEWLINE, at);
    const end = Math.min(newline === -1 ? length : newline, at + MAX_LINE);
    const isWhole = end === newline;
    lines.push(bytes.subarray(at, isWhole && bytes[end - 1] === RETURN && end > at ? end - 1 : end));
    at = isWhole ? end + 1 : end;
  }
  return { lines, length };
}

/** A change of a file from now on. */
function changeOf(path: string, signal: AbortSignal) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => resolve();
  const watcher = watch(path, { persistent: false }, done).on('error', done);
  signal.addEventListener('abort', done, { once: true });
  let timer: NodeJS.Timeout | undefined;
  return {
    /** Resolves when it came, or after so many milliseconds. */
    comes: (limit: number | undefined): Promise<void> => {
      if (limit !== undefined) timer = setTimeout(done, limit).unref();
      if (signal.aborted) done();
      return promise;
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      watcher.close();
      signal.removeEventListener('abort', done);
    },
  };
}
