/** The stream that is a build (contract, cross.ts), from its opening to its end. */
import { PassThrough, type Readable } from 'node:stream';
import { dispatch } from '@walt/client/channels';
import type { Connection } from '@walt/client/connection';
import { AbortError, hasCode } from '@walt/client/errors';
import { ByteStream, frameError } from '@walt/client/stream';
import type { CrossEvent, SavedImage } from '@walt/contract';
import { remark } from '../../terminal/output.ts';
import { type Display, openDisplay } from '../../terminal/progress.ts';
import { packFiles } from '../copy/pack-files.ts';
import { unpack } from '../copy/unpack.ts';
import { deleteFiles } from './delete-files.ts';

export class CrossStream {
  readonly #folder: string;
  readonly #stream: ByteStream;
  #display: Display | undefined;
  #saved: SavedImage | undefined;
  /** Sending the folder, then what comes back: a failure here ends the build. */
  readonly #failed = Promise.withResolvers<never>();
  #deleting: Promise<void> = Promise.resolve();
  #files: PassThrough | undefined;
  #unpacking: Promise<void> = Promise.resolve();

  constructor(connection: Connection, ticket: string, folder: string) {
    this.#folder = folder;
    // Whoever waits for the end gets it; before that, nobody does.
    this.#failed.promise.catch(() => {});
    this.#stream = new ByteStream(
      connection,
      '/stream/image-cross',
      { ticket },
      {
        onOpen: () => {},
        onData: (message) =>
          dispatch(message, {
            onEvent: (event) => this.#take(event),
            onOutput: (to, bytes) => this.#stream.passOn(bytes, process[to]),
            onFiles: (bytes) => this.#stream.passOn(bytes, this.#receiver()),
          }),
      },
    );
  }

  /** Ends the build on the server. */
  close(): void {
    this.#stream.close();
  }

  /** Resolves when all is done here and there. Throws AbortError when the build failed for another reason than its command. */
  async end(): Promise<{ status: number; saved: SavedImage | undefined }> {
    try {
      const end = await Promise.race([this.#stream.ended, this.#failed.promise]);
      const lost = new AbortError(
        'UNAVAILABLE',
        'The connection to the server was lost: the build has ended, and nothing is saved.',
        'See `sudo ./walt-server status`, then repeat the command.',
      );
      if (end === undefined) this.#files?.destroy(lost);
      else this.#files?.end();
      await this.#deleting;
      await this.#unpacking;
      if (end === undefined) throw lost;
      if (end.type === 'error') throw frameError(end);
      return { status: end.status, saved: this.#saved };
    } finally {
      this.#stream.close();
      this.#show(undefined);
    }
  }

  #take(event: CrossEvent): void {
    switch (event.type) {
      case 'ready':
        this.#send().catch((error: Error) => this.#failed.reject(readable(error)));
        break;
      case 'progress':
      case 'ended':
        this.#show(event.type === 'progress' ? event.step : 'Taking back what was changed');
        break;
      case 'deleted':
        this.#deleting = this.#deleting.then(() => deleteFiles(this.#folder, event.paths));
        this.#deleting.catch((error: Error) => this.#failed.reject(readable(error)));
        break;
      case 'saved':
        this.#saved = event;
    }
  }

  async #send(): Promise<void> {
    const step = 'Sending the current folder';
    this.#show(step);
    const tar = await packFiles(`${this.#folder}/.`, {
      ...{ archive: true, attributes: false, onEnd: () => {} },
      onBytes: (done) => this.#display?.show({ type: 'progress', step, done, unit: 'bytes' }),
      onSkipped: () => {},
    });
    for await (const chunk of tar) if (!this.#stream.send(chunk)) await this.#stream.drained();
    this.#show(undefined);
    this.#stream.control({ type: 'end' });
  }

  /** Where the tar of changed files goes: into the folder, once what was deleted is. */
  #receiver(): PassThrough {
    if (this.#files) return this.#files;
    const files = new PassThrough();
    this.#files = files;
    this.#unpacking = this.#deleting.then(() => this.#unpack(files));
    this.#unpacking.catch((error: Error) => this.#failed.reject(readable(error)));
    return files;
  }

  #unpack(tar: Readable): Promise<void> {
    return unpack(tar, {
      landing: { folder: this.#folder, name: undefined },
      ...{ wrapped: false, existing: 'change' },
      onBytes: () => {},
      onSkipped: (path) => remark(`Left out ${path}: it is neither file, folder nor link.`),
    });
  }

  /** One line of progress; undefined takes it away, since the command's own lines come next. */
  #show(step: string | undefined): void {
    if (step === undefined) {
      this.#display?.[Symbol.dispose]();
      this.#display = undefined;
      return;
    }
    this.#display ??= openDisplay();
    this.#display.show({ type: 'progress', step });
  }
}

/** The user's own files may refuse him. */
function readable(error: Error): Error {
  if (!hasCode(error, 'EACCES') && !hasCode(error, 'EPERM')) return error;
  return new AbortError(
    'FORBIDDEN',
    `A file of the current folder cannot be read or written: ${error.message}.`,
    'Change its mode, or build in a folder that is yours.',
  );
}
