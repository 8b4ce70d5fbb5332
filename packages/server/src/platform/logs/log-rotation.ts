/** Bounds the journal and the logs of the programs: a log that is too large becomes `LOG.1`, and `LOG.1` becomes `LOG.2`. */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { copyFile, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../errors.ts';
import { namesIn, sizeIfPresent, syncFolder } from '../files.ts';
import type { Log } from './log.ts';

/** Milliseconds between two looks at the sizes. */
const INTERVAL = 10_000;
const CHUNK = 256 * 1024;

export interface RotationLimits {
  /** Bytes from which on a log is put aside. */
  size: number;
  /** Older parts that stay. */
  keep: number;
}

/**
 * Puts a log aside when it is larger than `size`. True when it was done.
 *
 * Whoever writes has the file open (O_APPEND) and is not asked, so it is copied and emptied, not renamed. The last part of the copy
 * and the emptying happen without a pause, so that the server, the only one that writes to its journal, loses no line; of a program
 * that prints in those microseconds, that may be lost. Killed in between, the part is there twice.
 */
export async function rotateLog(path: string, { size, keep }: RotationLimits): Promise<boolean> {
  const before = await sizeIfPresent(path);
  if (before === undefined || before <= size) return false;
  // The oldest goes first, to make room where the disk is full.
  await rm(`${path}.${keep}`, { force: true });
  const copy = `${path}.tmp`;
  await copyFile(path, copy, constants.COPYFILE_FICLONE);
  for (let number = keep - 1; number >= 1; number -= 1) {
    await rename(`${path}.${number}`, `${path}.${number + 1}`).catch((error: unknown) => {
      if (!hasErrno(error, 'ENOENT')) throw error;
    });
  }
  await using copied = await open(copy, 'r+');
  await copied.sync();
  await rename(copy, `${path}.1`);
  emptyAfterCopy(path, copied.fd);
  await syncFolder(join(path, '..'));
  return true;
}

/** Adds to the copy what was written since it was made, and empties the log, without giving anybody else a turn. */
function emptyAfterCopy(path: string, copy: number): void {
  const log = openSync(path, 'r+');
  try {
    let copied = fstatSync(copy).size;
    const chunk = Buffer.alloc(CHUNK);
    for (;;) {
      const length = readSync(log, chunk, 0, CHUNK, copied);
      if (length === 0) break;
      writeSync(copy, chunk, 0, length, copied);
      copied += length;
    }
    fsyncSync(copy);
    ftruncateSync(log, 0);
  } finally {
    closeSync(log);
  }
}

/** Looks after all `*.log` of a folder until it is closed. */
export class LogRotation {
  readonly #folder: string;
  readonly #limits: RotationLimits;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> = Promise.resolve();

  constructor(folder: string, limits: RotationLimits, log: Log, interval = INTERVAL) {
    this.#folder = folder;
    this.#limits = limits;
    this.#log = log;
    const look = () => {
      this.#looking = this.#looking.then(() => this.#look());
    };
    look();
    this.#timer = setInterval(look, interval).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    for (const name of await namesIn(this.#folder)) {
      if (!name.endsWith('.log')) continue;
      try {
        await rotateLog(join(this.#folder, name), this.#limits);
      } catch (error) {
        this.#log.warn('cannot put a log aside', { log: name, reason: String(error) });
      }
    }
  }
}
