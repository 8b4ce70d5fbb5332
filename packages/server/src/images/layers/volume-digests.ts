import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  blocksOf,
  type Database,
  HashTree,
  hasErrno,
  type Log,
  namesIn,
  sizeWithTree,
} from '../../platform/index.ts';
import type { ImageTables } from '../catalogue/index.ts';

interface Deps {
  database: Database<ImageTables>;
  paths: { volumes: string };
  log: Log;
}

/** A volume as copies of it are: with its hash tree behind it. */
interface VolumeFacts {
  name: string;
  /** Bytes, with the tree. */
  size: number;
  /** Of these bytes; 64 hexadecimal digits. */
  sha256: string;
  /** What nodes need to prove what they read. */
  root: string;
  blocks: number;
}

type Known = Pick<ImageTables['volume_digest'], 'file' | 'sha256' | 'root'>;

/**
 * SHA-256 of volumes' copies, and the roots of their hash trees. Names of volumes tell of which layer they are, not their bytes: another
 * mkfs.erofs makes others of it. Each is read once, when somebody first asks, and noted in the database; again where the file is
 * another one.
 */
export class VolumeDigests {
  readonly #deps: Deps;
  readonly #known = new Map<string, Known>();
  /** By file: whoever asks meanwhile waits for the same. */
  readonly #reading = new Map<string, Promise<void>>();
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
      const known = await this.#noted(name, file);
      if (known) {
        const { sha256, root } = known;
        return { name, size: sizeWithTree(size), sha256, root, blocks: blocksOf(size) };
      }
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

  async #noted(name: string, file: string): Promise<Known | undefined> {
    const known =
      this.#known.get(name) ??
      (await this.#deps.database
        .selectFrom('volume_digest')
        .select(['file', 'sha256', 'root'])
        .where('name', '=', name)
        .executeTakeFirst());
    if (known?.file !== file) return undefined;
    this.#known.set(name, known);
    return known;
  }

  #read(name: string, file: string): Promise<void> {
    const key = `${name} ${file}`;
    const running = this.#reading.get(key);
    if (running) return running;
    const result = this.#turn.then(async () => {
      const row = { name, file, ...(await digestsOf(this.#path(name))) };
      await this.#deps.database
        .insertInto('volume_digest')
        .values(row)
        .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
        .execute();
      this.#known.set(name, row);
    });
    this.#reading.set(key, result);
    const done = () => this.#reading.delete(key);
    this.#turn = result.then(done, done);
    return result;
  }
}

async function digestsOf(path: string): Promise<Pick<Known, 'sha256' | 'root'>> {
  const [hash, tree] = [createHash('sha256'), new HashTree()];
  for await (const bytes of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    hash.update(bytes);
    tree.add(bytes);
  }
  const { root, tail } = tree.end();
  return { sha256: hash.update(tail).digest('hex'), root };
}
