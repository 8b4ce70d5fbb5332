/**
 * Patterns of file names, as Docker has them in `.dockerignore`, `--exclude` and `--parents`
 * (https://docs.docker.com/build/concepts/context/#syntax, Go's filepath.Match). Pure, and without a schema: the client loads it too.
 *
 * A pattern is matched character by character, with all places of the pattern at once where the text may be. So the time is at most
 * length of the text times length of the pattern, whatever both are: no pattern makes it repeat anything.
 */

type Token =
  /** One character. */
  | { kind: 'one'; fits: (character: string) => boolean }
  /** Any number of characters but `/`. */
  | { kind: 'star' }
  /** Any number of whole folders, `(.*\/)?`: the token behind it is where a folder's name goes on. */
  | { kind: 'folders' }
  | { kind: 'inFolder' }
  /** All that follows. */
  | { kind: 'rest' };

export interface Glob {
  readonly tokens: readonly Token[];
  /** By place: the step in which it was found last, so that none is looked at twice in one. */
  readonly seen: Uint32Array;
}

/** Where in a pattern a text may be that was read so far, each place once. Empty: whatever follows, it does not fit. */
export type Places = readonly number[];

/** Characters of one pattern. */
export const MAX_PATTERN = 4096;

/** Undefined for what is no pattern: a `[` without its end or with nothing in it, or a backslash at the end. */
export function readGlob(pattern: string): Glob | undefined {
  const characters = [...pattern];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '*' && characters[at + 1] === '*') {
      at += characters[at + 2] === '/' ? 2 : 1;
      if (at === characters.length - 1) tokens.push({ kind: 'rest' });
      else tokens.push({ kind: 'folders' }, { kind: 'inFolder' });
    } else if (character === '*') tokens.push({ kind: 'star' });
    else if (character === '?') tokens.push({ kind: 'one', fits: (one) => one !== '/' });
    else if (character === '[') {
      const set = readSet(characters, at + 1);
      if (!set) return undefined;
      tokens.push({ kind: 'one', fits: set.fits });
      at = set.end;
    } else {
      if (character === '\\') at += 1;
      const wanted = characters[at];
      if (wanted === undefined) return undefined;
      tokens.push({ kind: 'one', fits: (one) => one === wanted });
    }
  }
  return { tokens, seen: new Uint32Array(tokens.length + 2) };
}

/** `[a-z]`, `[^a-z]`; a backslash in front of what is meant as it is. `end` is where `]` stands. */
function readSet(
  characters: readonly string[],
  start: number,
): { fits: (one: string) => boolean; end: number } | undefined {
  const inverted = characters[start] === '^';
  const ranges: [from: string, to: string][] = [];
  let at = inverted ? start + 1 : start;
  // As with Go, `-` and `]` stand for themselves only behind a backslash.
  const next = () => {
    const escaped = characters[at] === '\\';
    if (escaped) at += 1;
    const one = characters[at];
    at += 1;
    return !escaped && (one === '-' || one === ']') ? undefined : one;
  };
  while (characters[at] !== ']') {
    const from = next();
    let to = from;
    if (characters[at] === '-') {
      at += 1;
      to = next();
    }
    if (from === undefined || to === undefined) return undefined;
    ranges.push([from, to]);
  }
  if (ranges.length === 0) return undefined;
  const point = (text: string) => text.codePointAt(0) ?? 0;
  const bounds = ranges.map(([from, to]) => [point(from), point(to)] as const);
  const fits = (one: string) =>
    bounds.some(([from, to]) => point(one) >= from && point(one) <= to) !== inverted;
  return { fits, end: at };
}

export function startOf(glob: Glob): Places {
  const places: number[] = [];
  reach(glob, places, 0, beginStep(glob));
  return places;
}

/** Where it may be after some more text. */
export function advance(glob: Glob, places: Places, text: string): Places {
  let now = places;
  for (const character of text) {
    if (now.length === 0) return now;
    const next: number[] = [];
    const step = beginStep(glob);
    for (const place of now) {
      const token = glob.tokens[place];
      if (token?.kind === 'one') {
        if (token.fits(character)) reach(glob, next, place + 1, step);
      } else if (token?.kind === 'star') {
        if (character !== '/') reach(glob, next, place, step);
      } else if (token?.kind === 'rest') reach(glob, next, place, step);
      else if (token) {
        const inside = token.kind === 'folders' ? place + 1 : place;
        reach(glob, next, inside, step);
        if (character === '/') reach(glob, next, inside + 1, step);
      }
    }
    now = next;
  }
  return now;
}

/** True when the text so far is what the pattern means. */
export function isWhole({ tokens }: Glob, places: Places): boolean {
  return places.includes(tokens.length);
}

export function fits(glob: Glob, text: string): boolean {
  return isWhole(glob, advance(glob, startOf(glob), text));
}

/** Adds a place, and those that are reached from it by reading nothing. */
function reach({ tokens, seen }: Glob, places: number[], start: number, step: number): void {
  for (let place = start; seen[place] !== step; ) {
    seen[place] = step;
    places.push(place);
    const { kind } = tokens[place] ?? {};
    if (kind === 'star' || kind === 'rest') place += 1;
    else if (kind === 'folders') place += 2;
    else return;
  }
}

/** The number of the step is kept behind the places. */
function beginStep({ tokens, seen }: Glob): number {
  const counter = tokens.length + 1;
  const step = (seen[counter] ?? 0) + 1;
  if (step === 2 ** 32) seen.fill(0);
  seen[counter] = step % 2 ** 32 || 1;
  return seen[counter] ?? 1;
}
