/** The stream that is a build (contract, build.ts), from its opening to its end. */
import { dispatch } from '@walt/client/channels';
import type { Connection } from '@walt/client/connection';
import { AbortError, hasCode } from '@walt/client/errors';
import { ByteStream, frameError } from '@walt/client/stream';
import type { BuildEvent, SavedImage } from '@walt/contract';
import { remark } from '../../terminal/output.ts';
import { type Display, openDisplay } from '../../terminal/progress.ts';
import { packContext, type Skipped } from './pack-context.ts';
import type { Source } from './source.ts';

export class ImageBuildStream {
  readonly #source: Source;
  readonly #stream: ByteStream;
  #display: Display | undefined;
  #saved: SavedImage | undefined;
  #over = false;
  /** The folder cannot be read: that ends the build. */
  readonly #failed = Promise.withResolvers<never>();

  /** Where what the build prints goes. */
  constructor(
    connection: Connection,
    ticket: string,
    source: Source,
    sinks: Record<'stdout' | 'stderr', NodeJS.WriteStream>,
  ) {
    this.#source = source;
    // Whoever waits for the end gets it; before that, nobody does.
    this.#failed.promise.catch(() => {});
    this.#stream = new ByteStream(
      connection,
      '/stream/image-build',
      { ticket },
      {
        onOpen: () => {},
        onData: (message) =>
          dispatch<BuildEvent>(message, {
            onEvent: (event) => this.#take(event),
            onOutput: (to, bytes) => this.#print(sinks[to], bytes),
            onFiles: () => {},
          }),
      },
    );
  }

  /** Ends the build on the server. */
  close(): void {
    this.#stream.close();
  }

  /** Resolves when the image is there. Throws AbortError when the build failed. */
  async end(): Promise<SavedImage> {
    try {
      const end = await Promise.race([this.#stream.ended, this.#failed.promise]);
      if (end?.type === 'error') throw frameError(end);
      if (end !== undefined && this.#saved !== undefined) return this.#saved;
      throw new AbortError(
        'UNAVAILABLE',
        'The connection to the server was lost: the build has ended, and no image was changed.',
        'See `sudo ./walt-server status`, then repeat the command: finished steps are kept.',
      );
    } finally {
      this.#over = true;
      this.#stream.close();
      this.#hide();
    }
  }

  #take(event: BuildEvent): void {
    if (event.type === 'saved') {
      const { type: _, ...saved } = event;
      this.#saved = saved;
    } else if (event.type === 'progress') this.#show(event);
    else this.#send().catch((error: Error) => this.#failed.reject(readable(error, this.#source.folder)));
  }

  async #send(): Promise<void> {
    const step = 'Sending the folder';
    const { folder, rules } = this.#source;
    let done = 0;
    const skipped: Skipped[] = [];
    for await (const chunk of packContext(folder, rules, (one) => skipped.push(one))) {
      // The build has failed meanwhile: nobody takes the rest.
      if (this.#over) return;
      done += chunk.length;
      this.#show({ type: 'progress', step, done, unit: 'bytes' });
      if (!this.#stream.send(chunk)) await this.#stream.drained();
    }
    this.#hide();
    tellSkipped(skipped);
    this.#stream.control({ type: 'end' });
  }

  #print(sink: NodeJS.WriteStream, bytes: Buffer): void {
    this.#hide();
    this.#stream.passOn(bytes, sink);
  }

  /** One line of progress, until the build's own lines come. */
  #show(progress: Parameters<Display['show']>[0]): void {
    this.#display ??= openDisplay();
    this.#display.show(progress);
  }

  #hide(): void {
    this.#display?.[Symbol.dispose]();
    this.#display = undefined;
  }
}

/** Files that are told by name; there may be thousands. */
const MAX_TOLD = 5;

function tellSkipped(skipped: readonly Skipped[]): void {
  for (const { path, what } of skipped.slice(0, MAX_TOLD)) {
    remark(`${JSON.stringify(path).replace(/\p{Cc}/gu, '?')} is ${what}: it is not sent.`);
  }
  if (skipped.length > MAX_TOLD) remark(`So are ${skipped.length - MAX_TOLD} more.`);
}

function readable(error: Error, folder: string): Error {
  if (!hasCode(error, 'EACCES') && !hasCode(error, 'EPERM')) return error;
  return new AbortError(
    'FORBIDDEN',
    `A file in ${folder} cannot be read: ${error.message}.`,
    'Change its mode, or name it in .dockerignore.',
  );
}
