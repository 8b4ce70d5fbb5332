/** A job of the server's while its user waits for it: one line of progress, then what the job prints, then what it came to. */
import type { Writable } from 'node:stream';
import type { Connection } from '@walt/client/connection';
import { AbortError, hasCode } from '@walt/client/errors';
import { attachToJob } from '@walt/client/job';
import { type ByteStream, frameError } from '@walt/client/stream';
import type { JobEnd, JobEvent, Progress } from '@walt/contract';
import { type Display, openDisplay } from '../terminal/progress.ts';

export interface JobOptions {
  /** Where what it prints goes. */
  sinks: Record<'stdout' | 'stderr', Writable>;
  /** Sends what the job takes, once it is ready. Its failure ends the job. */
  send: (job: ClientJob) => Promise<void>;
  /** What the user is told when the connection breaks: sentence and next step. */
  lost: [sentence: string, hint: string];
  /** How the user is told that one of his own files refuses him. */
  ownFiles?: FileWords;
  onEvent?: (event: Exclude<JobEvent, { type: 'ready' | 'progress' }>, job: ClientJob) => void;
  onFiles?: (bytes: Buffer, job: ClientJob) => void;
}

export interface FileWords {
  /** `A file of the folder cannot be read`. */
  refused: string;
  hint: string;
}

export class ClientJob {
  readonly stream: ByteStream;
  readonly #options: JobOptions;
  #display: Display | undefined;
  #over = false;
  /** What is done on this side has failed: that ends the job. */
  readonly #failed = Promise.withResolvers<never>();

  constructor(connection: Connection, job: string, options: JobOptions) {
    this.#options = options;
    // Whoever waits for the end gets it; before that, nobody does.
    this.#failed.promise.catch(() => {});
    this.stream = attachToJob(
      connection,
      { job },
      {
        onEvent: (event) => this.#take(event),
        onOutput: (to, bytes) => {
          this.hide();
          this.stream.passOn(bytes, options.sinks[to]);
        },
        onFiles: (bytes) => options.onFiles?.(bytes, this),
      },
    );
  }

  /** True once nobody takes anything any more. */
  get over(): boolean {
    return this.#over;
  }

  /** The error that tells that the connection broke. */
  get lost(): AbortError {
    return new AbortError('UNAVAILABLE', ...this.#options.lost);
  }

  /** Ends the job on the server. */
  close(): void {
    this.stream.close();
  }

  /** Sends all of a tar of the folder, then tells that there is no more. */
  async sendFolder(step: string, tar: AsyncIterable<Uint8Array>): Promise<void> {
    let done = 0;
    for await (const chunk of tar) {
      if (this.#over) return;
      done += chunk.length;
      this.show({ type: 'progress', step, done, unit: 'bytes' });
      if (!this.stream.send(chunk)) await this.stream.drained();
    }
    this.hide();
    this.stream.control({ type: 'end' });
  }

  /** Follows work on this side that belongs to the job. */
  watch(work: Promise<void>): void {
    work.catch((error: Error) => this.#failed.reject(this.#told(error)));
  }

  /**
   * What the job came to. `finish` is awaited first: it is told whether the connection broke. Throws AbortError when the job failed,
   * here or there, or was lost.
   */
  async end(finish?: (lost: AbortError | undefined) => Promise<void>): Promise<JobEnd> {
    try {
      const end = await Promise.race([this.stream.ended, this.#failed.promise]);
      await finish?.(end === undefined ? this.lost : undefined);
      if (end === undefined) throw this.lost;
      if (end.type === 'error') throw frameError(end);
      return end;
    } finally {
      this.#over = true;
      this.stream.close();
      this.hide();
    }
  }

  /** One line of progress, until the job's own lines come. */
  show(progress: Progress): void {
    this.#display ??= openDisplay();
    this.#display.show(progress);
  }

  hide(): void {
    this.#display?.[Symbol.dispose]();
    this.#display = undefined;
  }

  #take(event: JobEvent): void {
    if (event.type === 'ready') this.watch(this.#options.send(this));
    else if (event.type === 'progress') this.show(event);
    else this.#options.onEvent?.(event, this);
  }

  /** The user's own files may refuse him. */
  #told(error: Error): Error {
    const { ownFiles } = this.#options;
    if (!ownFiles || (!hasCode(error, 'EACCES') && !hasCode(error, 'EPERM'))) return error;
    return new AbortError('FORBIDDEN', `${ownFiles.refused}: ${error.message}.`, ownFiles.hint);
  }
}
