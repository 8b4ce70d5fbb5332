/**
 * Quotes and variables in the words of a Dockerfile, as Docker reads them
 * (https://docs.docker.com/reference/dockerfile/#environment-replacement). Pure; each character is looked at once.
 */
import { advance, type Glob, isWhole, readGlob, startOf } from '@walt/contract';

export interface Expansion {
  /** Without quotes, variables replaced. */
  text: string;
  /** True when a form is in it that buildah 1.28 does not know: all but $NAME, ${NAME}, ${NAME:-WORD} and ${NAME:+WORD}. */
  unusual: boolean;
}

/** A word that is not as it must be; the message goes on behind `FILE:LINE: `. */
export class BadWord extends Error {
  override readonly name = 'BadWord';
}

/** Characters of a value: variables that stand for each other several times would grow without end. */
const MAX_VALUE = 65_536;
/** `${A:-${B:-…}}`. */
const MAX_DEPTH = 50;

/** Undefined: the variable is not set. */
export type Values = (name: string) => string | undefined;

/** Throws BadWord. */
export function expand(text: string, values: Values, escaping = '\\'): Expansion {
  const reader = new Reader(text, values, escaping, true);
  return { text: reader.read(''), unusual: reader.unusual };
}

/** What `expand` would say of the form, whatever the values are. Throws BadWord; answers whether a form is unusual. */
export function checkWord(text: string, escaping = '\\'): boolean {
  const reader = new Reader(text, () => undefined, escaping, false);
  reader.read('');
  return reader.unusual;
}

class Reader {
  unusual = false;
  readonly #text: string;
  readonly #values: Values;
  readonly #escaping: string;
  /** False: a variable that must be set may be missing. */
  readonly #strict: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string, values: Values, escaping: string, strict: boolean) {
    this.#text = text;
    this.#values = values;
    this.#escaping = escaping;
    this.#strict = strict;
  }

  /** Up to the character `end`, which is passed over; '' is the end of the text. `raw`: escapes stay, for a pattern. */
  read(end: string, raw = false): string {
    let result = '';
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] ?? '';
      if (character === end) {
        this.#at += 1;
        return result;
      }
      result = limited(result + this.#piece(character, raw));
    }
    if (end !== '') throw new BadWord(`${JSON.stringify('${')} has no ${JSON.stringify(end)}`);
    return result;
  }

  #piece(character: string, raw: boolean): string {
    if (character === '$') return this.#variable();
    if (character === "'") return this.#single();
    if (character === '"') return this.#double(raw);
    this.#at += 1;
    if (character !== this.#escaping) return character;
    const escaped = this.#text[this.#at] ?? '';
    this.#at += 1;
    return raw ? `\\${escaped}` : escaped;
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw new BadWord('a single quote has no end');
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inner;
  }

  #double(raw: boolean): string {
    let result = '';
    for (this.#at += 1; this.#at < this.#text.length; ) {
      const character = this.#text[this.#at] ?? '';
      if (character === '"') {
        this.#at += 1;
        return result;
      }
      if (character === '$') {
        result = limited(result + this.#variable());
        continue;
      }
      this.#at += 1;
      const next = this.#text[this.#at] ?? '';
      if (character === this.#escaping && ['"', '$', this.#escaping].includes(next)) {
        this.#at += 1;
        result += raw ? `\\${next}` : next;
      } else result += character;
    }
    throw new BadWord('a double quote has no end');
  }

  #variable(): string {
    this.#at += 1;
    if (this.#text[this.#at] !== '{') {
      const name = this.#name();
      return name === '' ? '$' : (this.#values(name) ?? '');
    }
    this.#at += 1;
    const start = this.#at;
    const name = this.#name();
    const shown = () => JSON.stringify(`\${${this.#text.slice(start, start + 40)}`);
    if (name === '') throw new BadWord(`${shown()} names no variable`);
    let operator = this.#text[this.#at] ?? '';
    this.#at += 1;
    if (operator === '}') return this.#values(name) ?? '';
    if (operator === ':') {
      operator += this.#text[this.#at] ?? '';
      this.#at += 1;
    }
    if (!/^(?::?[-+?]|[#%])$/.test(operator)) {
      throw new BadWord(operator === '' ? `${shown()} has no "}"` : `${shown()} is no form of a variable`);
    }
    if (operator !== ':-' && operator !== ':+') this.unusual = true;
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new BadWord('variables are nested too deeply');
    const result = /[#%]/.test(operator) ? this.#cut(name, operator) : this.#chosen(name, operator);
    this.#depth -= 1;
    return result;
  }

  /** `-`, `+` and `?`; with a colon, an empty value is none. */
  #chosen(name: string, operator: string): string {
    const word = this.read('}');
    const value = this.#values(name);
    const isSet = value !== undefined && !(operator.startsWith(':') && value === '');
    if (operator.endsWith('-')) return isSet ? value : word;
    if (operator.endsWith('+')) return isSet ? word : '';
    if (isSet || !this.#strict) return value ?? '';
    throw new BadWord(`${name}: ${word || `is not set${operator === ':?' ? ', or empty' : ''}`}`);
  }

  /** `#` and `%` cut off what fits a pattern, in front or behind: the shortest; doubled, the longest. */
  #cut(name: string, operator: string): string {
    const most = this.#text[this.#at] === operator;
    if (most) this.#at += 1;
    const pattern = this.read('}', true);
    const glob = readGlob(opened(pattern));
    if (!glob) throw new BadWord(`${JSON.stringify(pattern.slice(0, 40))} is no pattern`);
    const value = [...(this.#values(name) ?? '')];
    if (operator === '#') return value.slice(fitLength(glob, value, most)).join('');
    const backwards = { ...glob, tokens: glob.tokens.toReversed() };
    return value.slice(0, value.length - fitLength(backwards, value.toReversed(), most)).join('');
  }

  /** Letters, digits and underscores; digits alone and signs of the shell are names of what is never set. */
  #name(): string {
    const pattern = /[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]/y;
    pattern.lastIndex = this.#at;
    const [name = ''] = pattern.exec(this.#text) ?? [];
    if (name !== '' && !/^[A-Za-z_]/.test(name)) this.unusual = true;
    this.#at += name.length;
    return name;
  }
}

/** How many characters in front fit: as few or as many as possible. */
function fitLength(glob: Glob, value: readonly string[], most: boolean): number {
  let places = startOf(glob);
  let longest = 0;
  for (const [index, character] of [...value, ''].entries()) {
    if (isWhole(glob, places)) {
      longest = index;
      if (!most) break;
    }
    places = advance(glob, places, opened(character));
  }
  return longest;
}

/** In a value, a slash is a character like any other, and `**` is no more than `*`. */
function opened(text: string): string {
  return text.replace(/\*+/g, '*').replaceAll('/', '\u{10FFFF}');
}

function limited(text: string): string {
  if (text.length > MAX_VALUE) throw new BadWord(`a value has more than ${MAX_VALUE} characters`);
  return text;
}
