import { basename } from 'node:path';

/** A kernel's loadable modules, read from the indexes that depmod(8) leaves beside them. */
export interface ModuleIndex {
  /** By name. `needs` are names, the ones to load last first, as depmod writes them. */
  files: ReadonlyMap<string, { path: string; needs: readonly string[] }>;
  builtin: ReadonlySet<string>;
  /** `softdep NAME pre: …`: modules or aliases that a module asks for by name while it loads. */
  softdeps: ReadonlyMap<string, readonly string[]>;
  aliases: readonly Alias[];
  /** Modules that a word of `softdeps` stands for where it is an alias. */
  named: ReadonlyMap<string, readonly string[]>;
}

interface Alias {
  pattern: string;
  name: string;
}

export interface IndexTexts {
  dep: string;
  builtin?: string | undefined;
  softdep?: string | undefined;
  alias?: string | undefined;
}

/** A module's name is its file's, without suffixes, dashes as underscores (modprobe(8)). */
export function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(?:\.(?:xz|gz|zst))?$/, '')
    .replaceAll('-', '_');
}

/** In time that grows with the texts' length: users make them. */
export function parseModuleIndex(texts: IndexTexts): ModuleIndex {
  const files = new Map<string, { path: string; needs: string[] }>();
  for (const line of lines(texts.dep)) {
    const [path = '', needs = ''] = line.split(':', 2);
    files.set(moduleName(path), { path, needs: words(needs).map(moduleName) });
  }
  const aliases = lines(texts.alias).flatMap((line) => {
    const [keyword, pattern, name] = words(line);
    return keyword === 'alias' && pattern && name ? [{ pattern, name: moduleName(name) }] : [];
  });
  const softdeps = parseSoftdeps(texts.softdep);
  const named = namesOf(aliases, new Set([...softdeps.values()].flat()));
  return { files, builtin: new Set(lines(texts.builtin).map(moduleName)), softdeps, aliases, named };
}

/** `softdep NAME pre: MODULE… post: MODULE…` each (modprobe.d(5)). */
function parseSoftdeps(text: string | undefined): Map<string, string[]> {
  const softdeps = new Map<string, string[]>();
  for (const line of lines(text)) {
    const [keyword, module, ...rest] = words(line);
    if (keyword !== 'softdep' || module === undefined || !rest.includes('pre:')) continue;
    const name = moduleName(module);
    const pre = softdeps.get(name) ?? [];
    softdeps.set(name, pre);
    let isPre = false;
    for (const word of rest) {
      if (word === 'pre:' || word === 'post:') isPre = word === 'pre:';
      else if (isPre) pre.push(word);
    }
  }
  return softdeps;
}

function namesOf(aliases: readonly Alias[], wanted: ReadonlySet<string>): Map<string, string[]> {
  const named = new Map<string, string[]>();
  for (const { pattern, name } of aliases) {
    if (!wanted.has(pattern)) continue;
    const names = named.get(pattern);
    if (names) names.push(name);
    else named.set(pattern, [name]);
  }
  return named;
}

/**
 * The modules among `wanted` that are files, with all that they need, in an order in which each finds its needs
 * loaded. Built-in and unknown ones are left out.
 */
export function loadOrder(index: ModuleIndex, wanted: readonly string[]): string[] {
  const order = new Set<string>();
  const visited = new Set<string>();
  /** Words of soft dependencies: what one stands for is ordered, or on its way, once it was seen. */
  const seen = new Set<string>();
  /** What a module needs first, in the order in which it is to be loaded. */
  const before = (name: string): string[] => {
    const soft = new Set(index.softdeps.get(name)).difference(seen);
    for (const word of soft) seen.add(word);
    const needs = index.files.get(name)?.needs ?? [];
    return [...[...soft].flatMap((word) => meaning(index, word)), ...needs.toReversed()];
  };
  for (const first of wanted) {
    // No recursion: a chain of modules that users make may be deeper than any stack.
    const way = [{ name: '', ahead: [moduleName(first)].values() }];
    for (let step = way.at(-1); step; step = way.at(-1)) {
      const { value: name, done } = step.ahead.next();
      if (done || name === undefined) {
        if (step.name !== '') order.add(step.name);
        way.pop();
      } else if (index.files.has(name) && !visited.has(name)) {
        visited.add(name);
        way.push({ name, ahead: before(name).values() });
      }
    }
  }
  return [...order];
}

/** Names of the modules in these folders of the kernel's own tree, which distributions may extend. */
export function modulesIn(index: ModuleIndex, folders: readonly string[]): string[] {
  const beginnings = folders.map((folder) => `kernel/${folder}/`);
  return [...index.files]
    .filter(([, { path }]) => beginnings.some((beginning) => path.startsWith(beginning)))
    .map(([name]) => name);
}

/** True when the kernel has that function at all, built in or as a module. */
export function offers(index: ModuleIndex, name: string): boolean {
  return index.builtin.has(name) || index.files.has(name);
}

/** A softdep names a module or an alias. */
function meaning(index: ModuleIndex, word: string): readonly string[] {
  const name = moduleName(word);
  return offers(index, name) ? [name] : (index.named.get(word) ?? []);
}

function lines(text = ''): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
