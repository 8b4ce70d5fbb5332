/** What a registry says about the way to prove who one is. */

export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  scheme: string;
  parameters: ReadonlyMap<string, string>;
}

/** A word, and, where one follows, its value: a word or a quoted text. Each position is looked at a fixed number of times. */
const PART = /[\s,]*([\w!#$%&'*+.^`|~-]+)(?:[ \t]{0,8}=[ \t]{0,8}(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;

/** Reads `WWW-Authenticate` (RFC 9110, 11.6.1). What is malformed ends it; a parameter that comes twice counts once. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  PART.lastIndex = 0;
  for (let part = PART.exec(header); part; part = PART.exec(header)) {
    const [, word = '', quoted, plain] = part;
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
    else {
      const { parameters } = challenges.at(-1) ?? {};
      const name = word.toLowerCase();
      if (parameters && !parameters.has(name)) parameters.set(name, value);
    }
  }
  return challenges;
}
