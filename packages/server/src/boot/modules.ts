import { basename } from 'node:path';

/** A kernel's loadable modules, read from the indexes that depmod(8) leaves beside them. */
export interface ModuleIndex {
  /** By name. `needs` are names, the ones to load last first, as depmod writes them. */
  files: ReadonlyMap<string, { path: string; needs: readonly string[] }>;
  builtin: ReadonlySet<string>;
  /** `softdep NAME pre: …`: modules or aliases that a module asks for by name while it loads. */
  softdeps: ReadonlyMap<string, readonly string[]>;
  aliases: readonly { pattern: string; name: string }[];
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

export function parseModuleIndex(texts: IndexTexts): ModuleIndex {
  const files = new Map<string, { path: string; needs: string[] }>();
  for (const line of lines(texts.dep)) {
    const [path = '', needs = ''] = line.split(':', 2);
    files.set(moduleName(path), { path, needs: words(needs).map(moduleName) });
  }
  const softdeps = new Map<string, string[]>();
  for (const line of lines(texts.softdep)) {
    const match = /^softdep (\S+) (?:.*\s)?pre: (.*?)(?: post:.*)?$/.exec(line);
    if (!match?.[1]) continue;
    const name = moduleName(match[1]);
    softdeps.set(name, [...(softdeps.get(name) ?? []), ...words(match[2] ?? '')]);
  }
  const aliases = lines(texts.alias).flatMap((line) => {
    const [keyword, pattern, name] = words(line);
    return keyword === 'alias' && pattern && name ? [{ pattern, name: moduleName(name) }] : [];
  });
  return { files, builtin: new Set(lines(texts.builtin).map(moduleName)), softdeps, aliases };
}

/**
 * The modules among `wanted` that are files, with all that they need, in an order in which each finds its needs
 * loaded. Built-in and unknown ones are left out.
 */
export function loadOrder(index: ModuleIndex, wanted: readonly string[]): string[] {
  const order = new Set<string>();
  const visiting = new Set<string>();
  const visit = (name: string): void => {
    const file = index.files.get(name);
    if (file === undefined || order.has(name) || visiting.has(name)) return;
    visiting.add(name);
    for (const soft of index.softdeps.get(name) ?? []) for (const target of named(index, soft)) visit(target);
    for (const need of file.needs.toReversed()) visit(need);
    order.add(name);
  };
  for (const name of wanted) visit(moduleName(name));
  return [...order];
}

/** True when the kernel has that function at all, built in or as a module. */
export function offers(index: ModuleIndex, name: string): boolean {
  return index.builtin.has(name) || index.files.has(name);
}

/** A softdep names a module or an alias. */
function named(index: ModuleIndex, word: string): string[] {
  const name = moduleName(word);
  if (offers(index, name)) return [name];
  return index.aliases.filter(({ pattern }) => pattern === word).map((alias) => alias.name);
}

function lines(text = ''): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
