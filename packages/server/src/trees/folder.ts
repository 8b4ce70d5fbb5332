/**
 * Folders that users fill and root looks into. Each step is one name in an open folder, as by openat(2): no link leads elsewhere,
 * and nothing does that is put in the place of a folder meanwhile. Node.js has no openat; `/proc/self/fd/N/NAME` is the same.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir, readlink, rmdir } from 'node:fs/promises';
import { hasErrno } from '../platform/index.ts';
import { bytesOf, isName } from './names.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/** Opens a place in the tree and nothing else, so that no device, FIFO or lease notices (open(2)). Node.js has no name for it. */
const O_PATH = 0o10000000;

export class Folder implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Opens one by a path of the server's own: links on it are followed. */
  static async open(path: string): Promise<Folder> {
    return new Folder(await open(path, O_PATH | O_DIRECTORY));
  }

  /** Number of the open file, for programs that inherit it. */
  get descriptor(): number {
    return this.#handle.fd;
  }

  /** Of the folder itself. */
  stats(): Promise<BigIntStats> {
    return this.#handle.stat({ bigint: true });
  }

  /** Names in it, unsorted; `limit` of them at most. */
  async names(limit = Number.POSITIVE_INFINITY): Promise<string[]> {
    const names: string[] = [];
    const list = await opendir(`/proc/self/fd/${this.#handle.fd}`, { encoding: 'latin1', bufferSize: 512 });
    for await (const { name } of list) {
      if (names.length >= limit) break;
      names.push(name);
    }
    return names;
  }

  /** Undefined when nothing is there. Links are not followed. */
  stat(name: string): Promise<BigIntStats | undefined> {
    return this.#unlessGone(name, (path) => lstat(path, { bigint: true }));
  }

  /** Where a link points; undefined when it is none. */
  readLink(name: string): Promise<string | undefined> {
    return this.#unlessGone(name, (path) => readlink(path, 'latin1'));
  }

  /** Undefined when it is no folder, a link to one included. */
  async folder(name: string): Promise<Folder | undefined> {
    const handle = await this.#unlessGone(name, (path) => open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    return handle && new Folder(handle);
  }

  /** Opens what is there without reading it, whatever it is; undefined when nothing is. A link stands for itself. */
  place(name: string): Promise<FileHandle | undefined> {
    return this.#unlessGone(name, (path) => open(path, O_PATH | O_NOFOLLOW));
  }

  /** Opens a regular file for reading; undefined when it is none. Nothing else is ever opened: not for a moment. */
  async file(name: string): Promise<FileHandle | undefined> {
    await using place = await this.place(name);
    if (!place || !(await place.stat()).isFile()) return undefined;
    return await open(`/proc/self/fd/${place.fd}`, O_RDONLY);
  }

  /** Throws when something is there. */
  async makeFolder(name: string, mode: number): Promise<void> {
    await mkdir(this.#at(name), { mode });
  }

  /** Removes an empty folder. Throws when it is none, or not empty. */
  async removeFolder(name: string): Promise<void> {
    await rmdir(this.#at(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  async #unlessGone<T>(name: string, act: (path: Buffer) => Promise<T>): Promise<T | undefined> {
    if (!isName(name)) return undefined;
    try {
      return await act(this.#at(name));
    } catch (error) {
      // EINVAL: readlink(2) of what is no link.
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EINVAL', 'ESTALE')) return undefined;
      throw error;
    }
  }

  #at(name: string): Buffer {
    if (!isName(name)) throw new RangeError(`${JSON.stringify(name)} is no name`);
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.#handle.fd}/`), bytesOf(name)]);
  }
}
