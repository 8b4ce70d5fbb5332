/** Makes a layer of what a user copies into an image: his tar, moved to where it goes, and checked against what is there. */
import { createHash, type Hash } from 'node:crypto';
import { UserError } from '../../platform/index.ts';
import { bytesOf, join, type Tree, textOf } from '../../trees/index.ts';
import { LayerHeaders, requireNamesForLayer } from './layer-tar.ts';
import {
  Held,
  type HeldLimits,
  padding,
  readTar,
  type TarEntry,
  type TarHeader,
  type TarType,
} from './tar/index.ts';
import { archive } from './tree-archive.ts';

export interface CopyTarget {
  /** The image's, mounted. */
  tree: Tree;
  /** An existing folder, below the root, without links. */
  folder: string;
  /** What the tar's only top entry is to be called in it; undefined: all keep their names. */
  name: string | undefined;
}

/** Attributes that say something to who runs the image. What overlayfs notes for itself would change what a layer means. */
const ATTRIBUTES =
  /^(?:user\.|trusted\.(?!overlay\.)|security\.capability$|system\.posix_acl_(?:access|default)$)/;

/** More is what images are built for. */
const LIMITS: HeldLimits = { entries: 1_000_000, names: 128 * 1024 ** 2, attributes: 32 * 1024 ** 2 };

/**
 * The layer's tar, in one pass, while the user's tar comes in. Folders that are there stay as they are, with the owner and the
 * mode that they have; all else replaces what it has the name of, except a folder. Throws UserError: CONFLICT where a folder meets
 * something else, INVALID for names that lead out, or too much.
 */
export class CopyLayer {
  readonly #target: CopyTarget;
  readonly #source: AsyncIterable<Buffer>;
  /** What the layer has so far, by path below the root. */
  readonly #written = new Map<string, TarType>();
  /** Files of the same content, owner, mode and time as those that are there: only their attributes may differ. */
  readonly #same = new Map<string, TarHeader>();
  readonly #headers = new LayerHeaders();
  readonly #held: Held;
  #changed = false;
  #top: string | undefined;

  /** `limits`: for tests. */
  constructor(target: CopyTarget, source: AsyncIterable<Buffer>, limits = LIMITS) {
    this.#target = target;
    this.#source = source;
    this.#held = new Held(limits, tooMuch);
  }

  async *tar(): AsyncGenerator<Buffer> {
    yield* this.#openFolders(this.#target.folder);
    for await (const entry of readTar(this.#source)) yield* this.#add(entry);
    if (this.#top === undefined)
      throw new UserError('INVALID', 'The archive is empty.', 'Send a file or folder.');
    yield this.#headers.end();
  }

  /** False when all is in the image already. To be asked when the tar is complete. */
  async changes(): Promise<boolean> {
    if (this.#changed || this.#same.size === 0) return this.#changed;
    for await (const there of this.#describe([...this.#same.keys()])) {
      const mine = this.#same.get(there.path)?.attributes;
      if (!mine || !equalAttributes(mine, there.attributes)) return true;
      this.#same.delete(there.path);
    }
    return this.#same.size > 0;
  }

  async *#add({ header: sent, content }: TarEntry): AsyncGenerator<Buffer> {
    this.#held.entry(sent);
    const path = this.#place(sent.path);
    const kept = [...sent.attributes].filter(([name]) => ATTRIBUTES.test(name));
    const header: TarHeader = { ...sent, path, attributes: new Map(kept) };
    if (path === this.#target.folder) {
      if (sent.type !== 'folder') throw unplaced(sent.path);
      return;
    }
    yield* this.#openFolders(parentOf(path));
    const there = this.#written.get(path) ?? (await this.#typeInImage(path));
    if (header.type === 'folder') {
      if (there === 'folder') return yield* this.#openFolders(path);
      if (there !== undefined) throw inTheWay(path, 'is no folder', 'a folder');
    } else if (there === 'folder') throw inTheWay(path, 'is a folder', 'a file');
    else if (this.#written.has(path)) throw twice(sent.path);
    if (header.type === 'hard-link') {
      header.target = this.#place(sent.target);
      if (this.#written.get(header.target) !== 'file') throw unplaced(sent.target);
    }
    this.#written.set(path, header.type === 'hard-link' ? 'file' : header.type);
    yield this.#headers.render(header);
    if (header.type !== 'file') this.#changed = true;
    else yield* this.#content(header, content);
  }

  async *#content(header: TarHeader, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const hash = !this.#changed && (await this.#looksTheSame(header)) ? createHash('sha256') : undefined;
    for await (const chunk of content) {
      hash?.update(chunk);
      yield chunk;
    }
    yield padding(header.size);
    if (hash && (await this.#sameContent(header.path, hash))) {
      this.#held.attributes(header);
      this.#same.set(header.path, header);
    } else this.#changed = true;
  }

  /** Where an entry goes, below the root. Throws UserError for a name that leads out, or several tops for one name. */
  #place(name: string): string {
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    const { folder, name: newName } = this.#target;
    const all = newName === undefined ? parts : [newName, ...parts];
    if (all.includes('..')) throw unplaced(name);
    requireNamesForLayer([all.join('/')], 'Copy it under another name.');
    const top = parts[0] ?? '.';
    this.#top ??= top;
    if (newName === undefined) return parts.reduce(join, folder);
    if (this.#top !== '.' && this.#top !== top) throw severalEntries(newName);
    return (this.#top === '.' ? parts : parts.slice(1)).reduce(join, join(folder, newName));
  }

  /** A layer that has a file has its folders too, and tells their owners and modes anew: as they are. */
  async *#openFolders(path: string): AsyncGenerator<Buffer> {
    const missing: string[] = [];
    for (let folder = path; ; folder = parentOf(folder)) {
      const written = this.#written.get(folder);
      if (written === 'folder') break;
      if (written !== undefined || (await this.#typeInImage(folder)) !== 'folder') {
        throw inTheWay(folder, 'is no folder', 'something in it');
      }
      missing.unshift(folder);
      if (folder === '') break;
    }
    if (missing.length === 0) return;
    for await (const header of this.#describe(missing)) {
      this.#written.set(header.path, 'folder');
      yield this.#headers.render({ ...header, path: header.path === '' ? './' : header.path });
    }
  }

  /** What the image has at these paths, links not followed. */
  async *#describe(paths: readonly string[]): AsyncGenerator<TarHeader> {
    const names = paths.map((path) => bytesOf(`./${path}`));
    for await (const { header } of readTar(archive(this.#target.tree.root, { names, recursive: false }))) {
      yield { ...header, path: header.path.replace(/^\.\//, '').replace(/\/$/, '') };
    }
  }

  async #typeInImage(path: string): Promise<TarType | 'other' | undefined> {
    const stats = await this.#target.tree.stat(path);
    if (stats?.isDirectory()) return 'folder';
    if (stats?.isFile()) return 'file';
    return stats && (stats.isSymbolicLink() ? 'link' : 'other');
  }

  async #looksTheSame({ path, size, uid, gid, mode, mtime }: TarHeader): Promise<boolean> {
    const stats = await this.#target.tree.stat(path);
    return (
      stats?.isFile() === true &&
      Number(stats.size) === size &&
      Number(stats.uid) === uid &&
      Number(stats.gid) === gid &&
      Number(stats.mode & 0o7777n) === mode &&
      stats.mtimeNs === mtime
    );
  }

  async #sameContent(path: string, sent: Hash): Promise<boolean> {
    const there = createHash('sha256');
    const file = await this.#target.tree.open(path);
    if (!file) return false;
    for await (const chunk of file.createReadStream()) there.update(chunk as Buffer);
    return there.digest('hex') === sent.digest('hex');
  }
}

function equalAttributes(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && a.entries().every(([name, value]) => b.get(name) === value);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function inTheWay(path: string, what: string, instead: string): UserError {
  return new UserError(
    'CONFLICT',
    `/${textOf(path)} ${what} in the image, and ${instead} was to be copied there.`,
    'Copy to another place, or remove it first with: walt image shell',
  );
}

function unplaced(name: string): UserError {
  return new UserError(
    'INVALID',
    `${JSON.stringify(textOf(name))} in the archive has no place in an image.`,
    'Names must not contain ".."; hard links must be to files that are copied too.',
  );
}

function twice(name: string): UserError {
  return new UserError(
    'INVALID',
    `${JSON.stringify(textOf(name))} is in the archive twice.`,
    'Make an archive that has each file once.',
  );
}

function tooMuch(what: string): UserError {
  return new UserError(
    'INVALID',
    `The archive has ${what}.`,
    'Copy a part at a time, or build the image: walt image build',
  );
}

function severalEntries(name: string): UserError {
  return new UserError(
    'INVALID',
    `Several files cannot become one, "${textOf(name)}".`,
    'Name a folder that exists in the image as their target.',
  );
}
