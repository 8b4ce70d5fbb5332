import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestPostgres } from '../../../test/postgres.ts';
import type { LogPlace } from './connection.ts';

/** Databases for lines, of both kinds; each is empty when it is asked for. */
export class EmptyPlaces implements AsyncDisposable {
  static readonly KINDS = ['SQLite', 'PostgreSQL'] as const;
  readonly #folder: string;
  readonly #postgres: TestPostgres;
  #count = 0;

  private constructor(folder: string, postgres: TestPostgres) {
    this.#folder = folder;
    this.#postgres = postgres;
  }

  static async make(): Promise<EmptyPlaces> {
    return new EmptyPlaces(await mkdtemp(join(tmpdir(), 'walt-logs-')), await TestPostgres.start());
  }

  async empty(kind: (typeof EmptyPlaces.KINDS)[number]): Promise<LogPlace> {
    if (kind === 'PostgreSQL') {
      await this.#postgres.ask('drop schema public cascade; create schema public');
      return { place: this.#postgres.place, passwordFile: undefined };
    }
    this.#count += 1;
    return { file: join(this.#folder, `${this.#count}.db`) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#postgres[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true });
  }
}
