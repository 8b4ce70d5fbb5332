/**
 * Which files `COPY --parents` and `COPY --exclude` mean (https://docs.docker.com/reference/dockerfile/#copy). buildah 1.28 knows
 * neither. Paths are bytes, as Latin-1 strings, below the root of a tree; '' is the root.
 */
import { advance, fits, type Glob, isWhole, MAX_PATTERN, readGlob, startOf } from '@walt/contract';
import { textOf } from '../../trees/index.ts';
import { Comparing } from './comparing.ts';

export interface TreeEntry {
  kind: 'folder' | 'link' | 'other';
  /** Of a link. */
  target: string;
}

export interface Choice {
  sources: readonly string[];
  excludes: readonly string[];
  parents: boolean;
}

/** What is copied: where it lies in the tree, and where below the target it gets. Folders stand for themselves only. */
export interface Picked {
  from: string;
  to: string;
}

export interface Picks {
  files: Picked[];
  /** True when it is one file, which gets the name that the target has. */
  single: boolean;
}

/** As many as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/** A choice that cannot be made; the message goes on behind `FILE:LINE: `. */
export class BadChoice extends Error {
  override readonly name = 'BadChoice';
}

export class SourceTree {
  readonly #entries: ReadonlyMap<string, TreeEntry>;
  readonly #comparing: Comparing;
  /** Names in each folder, in the order in which they came. */
  readonly #names = new Map<string, string[]>();

  /** `comparing`: what the whole build may take. */
  constructor(entries: ReadonlyMap<string, TreeEntry>, comparing = new Comparing(tooMuch)) {
    this.#entries = entries;
    this.#comparing = comparing;
    for (const path of entries.keys()) {
      const folder = parentOf(path);
      const names = this.#names.get(folder);
      const name = path.slice(folder === '' ? 0 : folder.length + 1);
      if (names) names.push(name);
      else this.#names.set(folder, [name]);
    }
  }

  /** Throws BadChoice for a source without a wildcard that is not there, and for too much to compare. */
  async choose({ sources, excludes, parents }: Choice): Promise<Picks> {
    const omitted = excludes.map(globOf);
    const all = new Map<string, string>();
    let single = sources.length === 1;
    for (const source of sources) {
      const found = parents
        ? await this.#withParents(source, omitted)
        : await this.#plain(source, omitted, (several) => {
            if (several) single = false;
          });
      // Of two for one place, the later one counts.
      for (const { from, to } of found) all.set(to, from);
    }
    const files = [...all].map(([to, from]) => ({ from, to })).sort((a, b) => (a.to < b.to ? -1 : 1));
    for (const { to } of files) {
      const folder = all.get(parentOf(to));
      if (folder !== undefined && !this.#isFolder(folder)) {
        throw new BadChoice(`${JSON.stringify(textOf(to))} would lie in what is no folder`);
      }
    }
    return { files, single: single && !parents && files.length === 1 };
  }

  /** The content of folders, and files by their names. */
  async #plain(
    source: string,
    omitted: readonly Glob[],
    tell: (several: boolean) => void,
  ): Promise<Picked[]> {
    const roots = await this.#expand(cleanParts(source));
    if (roots.length === 0 && !hasWildcard(source)) throw absent(source);
    tell(roots.length !== 1 || hasWildcard(source));
    const found: Picked[][] = [];
    for (const root of roots) {
      const real = this.#follow(root);
      if (real === undefined) throw absent(source);
      if (this.#isFolder(real)) {
        tell(true);
        found.push(await this.#below(real, [], omitted));
        continue;
      }
      const name = root.slice(root.lastIndexOf('/') + 1);
      await this.#comparing.begin(name, omitted);
      if (!omitted.some((glob) => fits(glob, textOf(name)))) found.push([{ from: real, to: name }]);
    }
    return found.flat();
  }

  /** What fits the pattern, with the folders that it lies in, from the root or from `/./` on. */
  async #withParents(source: string, omitted: readonly Glob[]): Promise<Picked[]> {
    const pivot = source.indexOf('/./');
    const parts = cleanParts(pivot < 0 ? source : source.slice(pivot + 3));
    const roots = pivot < 0 ? [''] : await this.#expand(cleanParts(source.slice(0, pivot)));
    const wanted = parts.length === 0 ? [] : [globOf(parts.join('/'))];
    const found: Picked[] = [];
    for (const root of roots) {
      const real = this.#follow(root);
      if (real === undefined || !this.#isFolder(real)) continue;
      for (const one of await this.#below(real, wanted, omitted)) found.push(one);
    }
    if (found.length === 0 && !hasWildcard(source)) throw absent(source);
    return found;
  }

  /**
   * What lies in a folder and fits `wanted`, or lies in what does, without what fits `omitted`. Folders on the way to something are
   * there, too.
   */
  async #below(root: string, wanted: readonly Glob[], omitted: readonly Glob[]): Promise<Picked[]> {
    const picked: Picked[] = [];
    const patterns = [...omitted, ...wanted];
    const visit = async (folder: string, to: string, inside: boolean, waiting: readonly Picked[]) => {
      let left = waiting;
      for (const name of this.#namesIn(folder)) {
        const from = folder === '' ? name : `${folder}/${name}`;
        const place = to === '' ? name : `${to}/${name}`;
        const pause = this.#comparing.begin(place, patterns);
        if (pause) await pause;
        const text = textOf(place);
        if (omitted.some((glob) => fits(glob, text))) continue;
        const isWanted = inside || wanted.some((glob) => fits(glob, text));
        const own = { from, to: place };
        const isFolder = this.#entries.get(from)?.kind === 'folder';
        if (isWanted) {
          picked.push(...left, own);
          left = [];
        }
        if (!isFolder || (!isWanted && !wanted.some((glob) => leadsInto(glob, text)))) continue;
        const before = picked.length;
        await visit(from, place, isWanted, isWanted ? [] : [...left, own]);
        if (picked.length > before) left = [];
      }
    };
    await visit(root, '', wanted.length === 0, []);
    return picked;
  }

  /** Paths that fit, part by part; links on the way are followed. */
  async #expand(parts: readonly string[]): Promise<string[]> {
    let folders = [''];
    for (const part of parts) {
      const found: string[][] = [];
      for (const folder of folders) {
        const real = this.#follow(folder);
        if (real === undefined) continue;
        if (part === '..') found.push([parentOf(real)]);
        else if (hasWildcard(part)) found.push(await this.#fitting(real, part));
        else found.push([inFolder(real, unescaped(part))].filter((path) => this.#entries.has(path)));
      }
      folders = found.flat();
    }
    return folders;
  }

  /** Paths of what is in a folder and fits. */
  async #fitting(folder: string, part: string): Promise<string[]> {
    const glob = globOf(part);
    const found: string[] = [];
    for (const name of this.#namesIn(folder)) {
      const pause = this.#comparing.begin(name, [glob]);
      if (pause) await pause;
      if (fits(glob, textOf(name))) found.push(inFolder(folder, name));
    }
    return found;
  }

  #namesIn(folder: string): readonly string[] {
    return (this.#names.get(folder) ?? []).sort();
  }

  #isFolder(path: string): boolean {
    return path === '' || this.#entries.get(path)?.kind === 'folder';
  }

  /** Where a path leads inside of the tree; undefined: nowhere. */
  #follow(path: string): string | undefined {
    const ahead = path.split('/').filter(Boolean);
    let place = '';
    let links = 0;
    for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
      if (name === '.') continue;
      if (name === '..') {
        place = parentOf(place);
        continue;
      }
      const next = place === '' ? name : `${place}/${name}`;
      const entry = this.#entries.get(next);
      if (!entry) return undefined;
      if (entry.kind !== 'link') {
        place = next;
        continue;
      }
      links += 1;
      if (links > MAX_LINKS) return undefined;
      if (entry.target.startsWith('/')) place = '';
      ahead.unshift(...entry.target.split('/').filter(Boolean));
    }
    return place;
  }
}

/** Throws BadChoice for what is no pattern. */
export function globOf(pattern: string): Glob {
  if (pattern.startsWith('!'))
    throw new BadChoice(
      `${JSON.stringify(pattern.slice(0, 80))} takes something back, which is not possible here`,
    );
  const path = cleanParts(pattern).join('/');
  const glob = path.length > MAX_PATTERN ? undefined : readGlob(path);
  if (!glob) throw new BadChoice(`${JSON.stringify(pattern.slice(0, 80))} is no pattern`);
  return glob;
}

function inFolder(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** Whether what fits may lie below a folder. */
function leadsInto(glob: Glob, folder: string): boolean {
  const places = advance(glob, startOf(glob), `${folder}/`);
  return places.length > 0 || isWhole(glob, places);
}

function hasWildcard(pattern: string): boolean {
  return /[*?[]/.test(pattern.replace(/\\./g, ''));
}

/** As bytes: a name in a Dockerfile is UTF-8. */
function unescaped(part: string): string {
  return Buffer.from(part.replace(/\\(.)/g, '$1'), 'utf8').toString('latin1');
}

function cleanParts(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return parts;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function absent(source: string): BadChoice {
  return new BadChoice(`${JSON.stringify(source.slice(0, 200))} is not there`);
}

/** What a whole build compares. */
export function tooMuch(): BadChoice {
  return new BadChoice('with all such steps before it, it compares too many names with too many patterns');
}
