/**
 * Lists of files that are left out, in the form of `.dockerignore` (https://docs.docker.com/build/concepts/context/#dockerignore-files).
 * Pure, and without a schema: the client loads it too.
 */
import { advance, type Glob, isWhole, MAX_PATTERN, type Places, readGlob, startOf } from './globs.ts';

interface Rule {
  glob: Glob;
  /** A line with `!` in front: what it fits is wanted after all. */
  wanted: boolean;
}

export const MAX_IGNORE_RULES = 10_000;

/** The line, counted from 1, that is no pattern. */
export interface BrokenLine {
  line: number;
  pattern: string;
}

/** The rules of a text; or which line is no pattern; or `many`: there are more than MAX_IGNORE_RULES. */
export function parseIgnoreRules(text: string): IgnoreRules | BrokenLine | 'many' {
  const rules: Rule[] = [];
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    try {
      rules.push(...readRule(line));
    } catch (error) {
      if (!(error instanceof BadPattern)) throw error;
      return { line: index + 1, pattern: error.message };
    }
    if (rules.length > MAX_IGNORE_RULES) return 'many';
  }
  return new IgnoreRules(rules);
}

class BadPattern extends Error {}

/** The rules as they are for what lies in one folder. */
export class IgnoreRules {
  readonly #rules: readonly Rule[];
  /** By rule: how far the folder's path leads into its pattern; `true`: it fits, and all that is in the folder with it. */
  readonly #state: readonly (Places | true)[];

  constructor(
    rules: readonly Rule[],
    state: readonly (Places | true)[] = rules.map(({ glob }) => startOf(glob)),
  ) {
    this.#rules = rules;
    this.#state = state;
  }

  /** What becomes of a file or folder here, by its name. The last line that fits counts. */
  look(name: string): { omitted: boolean; inside: IgnoreRules; mayHoldWanted: boolean } {
    const reached = this.#rules.map(({ glob }, index) => {
      const places = this.#state[index] ?? [];
      if (places === true) return true;
      const there = advance(glob, places, name);
      return isWhole(glob, there) || there;
    });
    const last = this.#rules.findLast((_, index) => reached[index] === true);
    const below = this.#rules.map(({ glob }, index) => {
      const there = reached[index] ?? [];
      return there === true || advance(glob, there, '/');
    });
    return {
      omitted: last !== undefined && !last.wanted,
      inside: new IgnoreRules(this.#rules, below),
      mayHoldWanted: this.#rules.some(({ wanted }, index) => {
        const there = below[index];
        return wanted && there !== undefined && there !== true && there.length > 0;
      }),
    };
  }

  /** The same for a path, with slashes. */
  omits(path: string): boolean {
    let rules: IgnoreRules = this;
    let omitted = false;
    for (const name of path.split('/')) {
      const seen = rules.look(name);
      rules = seen.inside;
      omitted = seen.omitted;
    }
    return omitted;
  }
}

function readRule(line: string): Rule[] {
  if (line.startsWith('#')) return [];
  const text = line.trim();
  if (text === '') return [];
  const inverted = text.startsWith('!');
  const path = cleaned(inverted ? text.slice(1).trim() : text).trim();
  // Docker looks for `!` again once it has taken a slash in front away.
  if (!inverted && path.startsWith('!') && path !== '!')
    return path.startsWith('!/') ? [] : ruleOf(path.slice(1), true);
  // As with Docker, what leads out of the folder, and the folder itself, fit nothing.
  if (path === '' && text !== '!') return [];
  return ruleOf(path, inverted);
}

function ruleOf(path: string, wanted: boolean): Rule[] {
  const glob = path === '' || path.length > MAX_PATTERN ? undefined : readGlob(path);
  if (!glob) throw new BadPattern(path);
  return [{ glob, wanted }];
}

/** Go's filepath.Clean, without a slash in front. */
function cleaned(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || !path.startsWith('/')) parts.push(part);
  }
  return parts.join('/');
}
