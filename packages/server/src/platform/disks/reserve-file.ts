/**
 * A file that takes room on the server's disk, and is given up when nodes and others have filled it: podman, the journal and whatever
 * else has no room of its own can write then, so that images can be removed. Made again when there is room.
 */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sizeIfPresent } from '../files.ts';
import type { Log } from '../logs/index.ts';
import type { Paths } from '../paths.ts';
import { run } from '../programs/index.ts';
import { diskOf } from './room.ts';

/** Milliseconds between two looks. */
const INTERVAL = 1000;
/** Bytes, and part of what stays free: the smaller counts. */
const SIZE = { bytes: 64 * 1024 ** 2, share: 1 / 8 };

export class ReserveFile {
  readonly #file: string;
  readonly #reserved: number | undefined;
  readonly #log: Pick<Log, 'warn'>;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> = Promise.resolve();
  /** Of the last look, if that failed. */
  #failure: string | undefined;

  /** `reserved`: bytes that stay free; default: see `diskOf`. Looks once a second, until it is closed; the file stays. */
  constructor({ reserve }: Pick<Paths, 'reserve'>, reserved: number | undefined, log: Pick<Log, 'warn'>) {
    this.#file = reserve;
    this.#reserved = reserved;
    this.#log = log;
    const look = () => {
      this.#looking = this.#looking.then(() => this.#look()).catch((error) => this.#tell(String(error)));
    };
    look();
    this.#timer = setInterval(look, INTERVAL).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { free, reserved } = await diskOf(dirname(this.#file), this.#reserved);
    const size = Math.floor(Math.min(SIZE.bytes, reserved * SIZE.share));
    const there = (await sizeIfPresent(this.#file)) ?? 0;
    if (there > 0 && free < size / 4) {
      await rm(this.#file, { force: true });
      this.#log.warn('the disk is full: the room that was kept on it is given up', { bytes: there });
    } else if (there === 0 && size > 0 && free > reserved + size) {
      try {
        await run(['fallocate', '--posix', '--length', String(size), '--', this.#file]);
      } catch (error) {
        await rm(this.#file, { force: true });
        throw error;
      }
      this.#failure = undefined;
    }
  }

  /** Each reason once. */
  #tell(reason: string): void {
    if (reason === this.#failure) return;
    this.#failure = reason;
    this.#log.warn('cannot keep room on the disk for when it is full', { reason });
  }
}
