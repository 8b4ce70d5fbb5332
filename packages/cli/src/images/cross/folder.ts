/** The folder of a build: it goes to the server, and what the command changed in it comes back. */
import { PassThrough, type Readable } from 'node:stream';
import type { AbortError } from '@walt/client/errors';
import { remark } from '../../terminal/output.ts';
import { packFiles } from '../copy/pack-files.ts';
import { unpack } from '../copy/unpack.ts';
import type { ClientJob } from '../job.ts';
import { deleteFiles } from './delete-files.ts';

export class BuildFolder {
  readonly #path: string;
  #deleting: Promise<void> = Promise.resolve();
  #files: PassThrough | undefined;
  #unpacking: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  async send(job: ClientJob): Promise<void> {
    const step = 'Sending the current folder';
    job.show({ type: 'progress', step });
    const tar = await packFiles(`${this.#path}/.`, {
      ...{ archive: true, attributes: false },
      ...{ onBytes: () => {}, onEnd: () => {}, onSkipped: () => {} },
    });
    await job.sendFolder(step, tar);
  }

  delete(job: ClientJob, paths: readonly string[]): void {
    this.#deleting = this.#deleting.then(() => deleteFiles(this.#path, paths));
    job.watch(this.#deleting);
  }

  /** Takes a piece of the tar of changed files. */
  take(job: ClientJob, bytes: Buffer): void {
    job.stream.passOn(bytes, this.#receiver(job));
  }

  /** Resolves when all that came is in the folder. `lost`: the tar may have broken off. */
  async finish(lost: AbortError | undefined): Promise<void> {
    if (lost) this.#files?.destroy(lost);
    else this.#files?.end();
    await this.#deleting;
    await this.#unpacking;
  }

  /** Where the tar of changed files goes: into the folder, once what was deleted is. */
  #receiver(job: ClientJob): PassThrough {
    if (this.#files) return this.#files;
    const files = new PassThrough();
    this.#files = files;
    this.#unpacking = this.#deleting.then(() => this.#unpack(files));
    job.watch(this.#unpacking);
    return files;
  }

  #unpack(tar: Readable): Promise<void> {
    return unpack(tar, {
      landing: { folder: this.#path, name: undefined },
      ...{ wrapped: false, existing: 'change' },
      onBytes: () => {},
      onSkipped: (path) => remark(`Left out ${path}: it is neither file, folder nor link.`),
    });
  }
}
