import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Database, hasErrno, type Log, namesIn } from '../../platform/index.ts';
import type { ImageTables } from '../catalogue/index.ts';

interface Deps {
  database: Database<ImageTables>;
  paths: { volumes: string };
  log: Log;
}

interface VolumeFacts {
  name: string;
  /** Bytes. */
  size: number;
  /** 64 hexadecimal digits. */
  sha256: string;
}

/**
 * SHA-256 of volumes' bytes. Their names tell of which layer they are, not their bytes: another mkfs.erofs makes others of it. Each is
 * read once, when somebody first asks, and noted in the database; again where the file is another one.
 */
export class VolumeDigests {
  readonly #deps: Deps;
  readonly #known = new Map<string, { file: string; sha256: string }>();
  /** By file: whoever asks meanwhile waits for the same. */
  readonly #reading = new Map<string, Promise<string>>();
  /** One file at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Forgets those of files that are gone. */
  async sweep(): Promise<void> {
    const there = new Set(await namesIn(this.#deps.paths.volumes));
    const { database } = this.#deps;
    const rows = await database.selectFrom('volume_digest').select('name').execute();
    for (const { name } of rows) {
      if (!there.has(name)) await database.deleteFrom('volume_digest').where('name', '=', name).execute();
    }
  }

  /** Undefined: it is not there; or it is being read, and known when somebody asks later. */
  async soon(name: string): Promise<VolumeFacts | undefined> {
    try {
      const { file, size } = await this.#look(name);
      const sha256 = await this.#noted(name, file);
      if (sha256 !== undefined) return { name, size, sha256 };
      this.#read(name, file).catch((error) =>
        this.#deps.log.warn('a volume cannot be read', { volume: name, error: String(error) }),
      );
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
    return undefined;
  }

  #path(name: string): string {
    return join(this.#deps.paths.volumes, name);
  }

  async #look(name: string): Promise<{ file: string; size: number }> {
    const { ino, size, mtimeMs } = await stat(this.#path(name));
    return { file: `${ino} ${size} ${mtimeMs}`, size };
  }

  async #noted(name: string, file: string): Promise<string | undefined> {
    const known =
      this.#known.get(name) ??
      (await this.#deps.database
        .selectFrom('volume_digest')
        .select(['file', 'sha256'])
        .where('name', '=', name)
        .executeTakeFirst());
    if (known?.file !== file) return undefined;
    this.#known.set(name, known);
    return known.sha256;
  }

  #read(name: string, file: string): Promise<string> {
    const key = `${name} ${file}`;
    const running = this.#reading.get(key);
    if (running) return running;
    const result = this.#turn.then(async () => {
      const hash = createHash('sha256');
      await pipeline(createReadStream(this.#path(name), { highWaterMark: 1024 * 1024 }), hash);
      const row = { name, file, sha256: hash.digest('hex') };
      await this.#deps.database
        .insertInto('volume_digest')
        .values(row)
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ file, sha256: row.sha256 }))
        .execute();
      this.#known.set(name, row);
      return row.sha256;
    });
    this.#reading.set(key, result);
    const done = () => this.#reading.delete(key);
    this.#turn = result.then(done, done);
    return result;
  }
}
