import { RE2JS } from 're2js';
import { HEAD, timeAt } from '../chunk.ts';

const NEWLINE = 0x0a;

/** A line in a chunk's text: where it begins, and where its newline ends. */
export interface Found {
  time: number;
  from: number;
  to: number;
}

/**
 * Finds the lines of a chunk's text (chunk.ts) between two times, both included, that match; undefined: all. In time that grows with
 * the text, whatever the expression. Throws for what is no regular expression (RE2's syntax).
 */
export function lineFinder(
  expression: string | undefined,
  first: number,
  last: number,
): (text: Buffer) => Generator<Found> {
  const pattern = expression === undefined || expression === '' ? undefined : RE2JS.compile(expression);
  const literal = Buffer.from(expression === undefined ? '' : literalOf(expression));
  // All that matches holds the literal; where the expression is nothing else, that is enough.
  const test = literal.toString() === expression ? undefined : pattern;
  return function* (text) {
    for (let at = 0; at < text.length; ) {
      let from = at;
      if (literal.length > 0) {
        const hit = text.indexOf(literal, at + HEAD);
        if (hit === -1) return;
        from = text.lastIndexOf(NEWLINE, hit) + 1;
        // In the line's time: the line itself may have it, too.
        if (hit < from + HEAD) {
          at = from;
          const end = text.indexOf(NEWLINE, from + HEAD);
          const again = text.indexOf(literal, from + HEAD);
          if (again === -1) return;
          if (again > end) {
            at = end + 1;
            continue;
          }
        }
      }
      const end = text.indexOf(NEWLINE, from + HEAD);
      at = end + 1;
      const time = timeAt(text, from);
      if (time < first || time > last) continue;
      if (test && !test.test(text.toString('utf8', from + HEAD, end))) continue;
      yield { time, from, to: end + 1 };
    }
  };
}

/** True for what RE2 can read. */
export function isExpression(text: string): boolean {
  try {
    RE2JS.compile(text);
    return true;
  } catch {
    return false;
  }
}

/** The longest text that is in all that an expression matches, as far as that is easy to see; empty where it is not. */
export function literalOf(expression: string): string {
  // What has alternatives, groups, classes or flags is left to the engine.
  const runs = /[|()[\]\\]/.test(expression) ? [] : expression.split(/.?(?:[*?]|\{[^}]*\})|[.^$+]/s);
  return runs.reduce((longest, run) => (run.length > longest.length ? run : longest), '');
}
