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

/** What a parser of literals meets, from the place where it is: each alternative has a meaning of its own in literalOf. */
const PART =
  /(?<escaped>\\[!-/:-@[-`{-~])|(?<kind>\\[dDwWsSbB])|(?<set>\[\^?\]?(?:\\[^pPQEx]|[^\]\\[])*\])|(?<open>\((?!\?)|\(\?:)|(?<close>\))|(?<count>[*?]|\{\d+(?:,\d*)?\})|(?<other>[.^$+])|(?<either>\|)|(?<plain>[^\\[\](){|])/uy;

/**
 * The longest text that is in all that an expression (RE2's syntax) matches, as far as that is easy to see; empty where it is not: flags
 * may ignore case, and what this does not know may mean anything.
 */
export function literalOf(expression: string): string {
  let longest = '';
  let run: string[] = [];
  let depth = 0;
  const end = () => {
    const text = run.join('');
    if (text.length > longest.length) longest = text;
    run = [];
  };
  PART.lastIndex = 0;
  while (PART.lastIndex < expression.length) {
    const { escaped, open, close, count, either, plain } = PART.exec(expression)?.groups ?? {};
    // Nothing fits: exec has begun anew.
    if (PART.lastIndex === 0 || (either && depth === 0)) return '';
    const character = plain ?? escaped?.slice(1);
    if (character !== undefined && depth === 0) {
      run.push(character);
      continue;
    }
    // It may be there not at all, or twice.
    if (count) run.pop();
    end();
    if (open) depth += 1;
    if (close) depth -= 1;
  }
  end();
  return depth === 0 ? longest : '';
}
