import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type LogImported, PLATFORM_ISSUER } from '@walt/contract';
import { type Caller, demand } from '../access/index.ts';
import { DiskFull, hasErrno, type RoomGuard, UserError } from '../platform/index.ts';
import type { Issuer } from './calls.ts';
import { type FileLine, lineReader, linesOf } from './import-lines.ts';
import type { Logs } from './logs.ts';

/** Bytes of a file. */
const MAX_FILE = 4 * 2 ** 30;
/** Bytes of text, and lines, that are stored together; more, up to these, while the time is the same. */
const PORTION = { size: 256 * 1024, count: 2000 };
const MOST = { size: 384 * 1024, count: 3000 };
/** Microseconds that a line may be ahead of this server's clock: it may be another's. */
const AHEAD = 3600e6;

const NOTHING_STORED = 'No line was stored.';

interface Deps {
  logs: Pick<Logs, 'import' | 'tell'>;
  /** Nodes and other devices. */
  issuers: () => Promise<readonly Issuer[]>;
  /** For the file while it is checked. */
  folder: string;
  /** For which lines are kept. */
  days: number;
  room: RoomGuard;
}

/** Lines of files, as `walt log export` prints them, become lines of the platform. */
export class LogImports {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Stores all lines, or, where one is none, nothing. What is there already, with the same time and text, does not come twice.
   * Throws UserError FORBIDDEN, INVALID, UNAVAILABLE.
   */
  async write(caller: Caller, open: () => Readable): Promise<LogImported> {
    demand('log.import', caller, {});
    const { logs, folder, days, room } = this.#deps;
    await room.require(NOTHING_STORED);
    const issuers = new Map((await this.#deps.issuers()).map(({ name, ip }) => [name, ip]));
    issuers.set(PLATFORM_ISSUER, PLATFORM_ISSUER);
    const now = Date.now() * 1000;
    const rules = { issuers, latest: now + AHEAD };
    await using file = await unnamedFile(folder);
    // Nothing is stored before all of it was read.
    const check = lineReader(rules);
    const body = open();
    {
      using _watch = room.watch(() => body.destroy(room.failure(NOTHING_STORED)));
      for await (const { number, bytes } of linesOf(copied(body, file, folder))) check(number, bytes);
    }
    const portions = new Portions((lines) => logs.import(lines));
    const read = lineReader(rules);
    const oldest = now - days * 86_400e6;
    for await (const { number, bytes } of linesOf(file.createReadStream({ start: 0, autoClose: false }))) {
      const line = read(number, bytes);
      if (!line) continue;
      if (line.time < oldest) portions.expired += 1;
      else await portions.add(line);
    }
    const told = await portions.end();
    logs.tell('platform.logs', `${caller.user} imported lines: ${told.stored} stored, ${told.known} known`);
    return told;
  }
}

/** Lines on their way to the program that keeps them. */
class Portions {
  readonly #send: Deps['logs']['import'];
  readonly #waiting = new Map<string, Parameters<Deps['logs']['import']>[0]['lines']>();
  #size = 0;
  #count = 0;
  #last = 0;
  #all = 0;
  #stored = 0;
  expired = 0;

  constructor(send: Deps['logs']['import']) {
    this.#send = send;
  }

  async add({ issuer, stream, time, text }: FileLine): Promise<void> {
    // Lines with one time and text may be several: those that are there already are counted against all of them.
    if (this.#has(MOST) || (this.#has(PORTION) && time !== this.#last)) await this.#flush();
    const lines = this.#waiting.get(issuer) ?? [];
    this.#waiting.set(issuer, lines);
    lines.push({ stream, time, text: text.toString('base64') });
    this.#last = time;
    this.#all += 1;
    this.#count += 1;
    this.#size += text.length;
  }

  #has({ size, count }: typeof MOST): boolean {
    return this.#size >= size || this.#count >= count;
  }

  async end(): Promise<LogImported> {
    await this.#flush();
    return { stored: this.#stored, known: this.#all - this.#stored, expired: this.expired };
  }

  async #flush(): Promise<void> {
    for (const [issuer, lines] of this.#waiting) {
      this.#stored += await this.#send({ issuer, lines });
    }
    this.#waiting.clear();
    this.#size = 0;
    this.#count = 0;
  }
}

/** A file that no folder has: it is gone with the process, whatever ends that. */
async function unnamedFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `import-${randomBytes(8).toString('hex')}.tmp`);
  const file = await open(path, 'wx+', 0o600);
  await rm(path);
  return file;
}

/** What comes, once it is in the file, too. */
async function* copied(body: Readable, file: FileHandle, folder: string): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_FILE) {
      throw new UserError('INVALID', `The file has more than ${MAX_FILE / 2 ** 30} GiB.`, 'Split it.');
    }
    await file.writeFile(part).catch((error) => {
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
      throw new DiskFull(folder, NOTHING_STORED);
    });
    yield part;
  }
}
