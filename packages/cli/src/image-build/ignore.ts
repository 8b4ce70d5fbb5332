/**
 * `.containerignore` and `.dockerignore` (https://docs.docker.com/build/concepts/context/#dockerignore-files): which files of a folder
 * a build does not get. Pure.
 */

export interface IgnoreRules {
  /** True when a file or folder is left out; `path` is relative, with slashes. */
  omits(path: string): boolean;
  /** True when something below a folder that is left out is wanted all the same. */
  mayHold(folder: string): boolean;
}

interface Rule {
  pattern: RegExp;
  /** Parts of the pattern, for `mayHold`. */
  parts: string[];
  /** A line with `!` in front: what it fits is wanted after all. */
  wanted: boolean;
}

/** The last line that fits counts. */
export function readIgnoreRules(text: string): IgnoreRules {
  const rules = text.split(/\r?\n/).flatMap(readRule);
  return {
    omits: (path) => {
      const parts = path.split('/');
      const ways = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
      // What fits a folder fits all that is in it.
      const last = rules.findLast(({ pattern }) => ways.some((way) => pattern.test(way)));
      return last !== undefined && !last.wanted;
    },
    mayHold: (folder) => {
      const depth = folder.split('/');
      return rules.some(({ wanted, parts }) => wanted && reaches(parts, depth));
    },
  };
}

function readRule(line: string): Rule[] {
  const text = line.replace(/^\uFEFF/, '').trim();
  if (text === '' || text.startsWith('#')) return [];
  const wanted = text.startsWith('!');
  const parts = (wanted ? text.slice(1).trim() : text)
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  if (parts.length === 0 || parts.includes('..')) return [];
  return [{ pattern: new RegExp(`^${parts.map(partPattern).join('')}$`, 's'), parts, wanted }];
}

/** One part with its slash: `**` is any number of folders. */
function partPattern(part: string, index: number, parts: readonly string[]): string {
  const isLast = index === parts.length - 1;
  if (part === '**') return isLast ? '.*' : '(?:.*/)?';
  return globPattern(part) + (isLast ? '' : '/');
}

/** Go's filepath.Match: `*`, `?`, `[a-z]`, `[^a-z]`, and a backslash in front of what is meant as it is. */
function globPattern(glob: string): string {
  let pattern = '';
  for (let at = 0; at < glob.length; at += 1) {
    const character = glob[at] ?? '';
    const set = /^\[(\^?)((?:\\.|[^\]\\])+)\]/.exec(glob.slice(at));
    if (glob.startsWith('**', at)) {
      pattern += '.*';
      at += 1;
    } else if (character === '*') pattern += '[^/]*';
    else if (character === '?') pattern += '[^/]';
    else if (set) {
      pattern += `[${set[1]}${(set[2] ?? '').replace(/\[/g, '\\[')}]`;
      at += set[0].length - 1;
    } else if (character === '\\' && at + 1 < glob.length) {
      at += 1;
      pattern += literal(glob[at] ?? '');
    } else pattern += literal(character);
  }
  return pattern;
}

function literal(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}

/** Whether what the parts of a pattern fit may lie below a folder. */
function reaches(parts: readonly string[], folder: readonly string[]): boolean {
  for (const [index, name] of folder.entries()) {
    const part = parts[index];
    if (part === undefined || part.includes('**')) return true;
    if (!new RegExp(`^${globPattern(part)}$`, 's').test(name)) return false;
  }
  return true;
}
