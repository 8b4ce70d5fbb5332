/**
 * Node reads the map of a bundle when it first shows a stack, or ends a stream by an error, and keeps all of it: 40 MB for one with
 * every token of every package. Stacks tell lines, and those of our own files are enough.
 */

/** As far as it is looked at here (https://tc39.es/ecma426/). */
export interface BundleMap {
  sources: readonly string[];
  names: readonly string[];
  mappings: string;
}

type Segment = readonly [column: number, source?: number, line?: number, original?: number];

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The same with one place for each line: its source if that is `own`, else none. Pure. */
export function leanMap<Map extends BundleMap>(map: Map, own: (source: string) => boolean): Map {
  const isOwn = map.sources.map(own);
  let wasOwn = true;
  const lines = decoded(map.mappings).map((segments): Segment[] => {
    const [first] = segments.filter(({ length }) => length > 1);
    const [, source = 0] = first ?? [];
    if (first && isOwn[source]) {
      wasOwn = true;
      return [[0, ...first.slice(1)] as unknown as Segment];
    }
    // What follows belongs to nobody, until somebody is named again.
    const end: Segment[] = first && wasOwn ? [[0]] : [];
    if (first) wasOwn = false;
    return end;
  });
  return { ...map, names: [], mappings: encoded(lines) };
}

/** Segments of each line, their numbers absolute. */
function decoded(mappings: string): Segment[][] {
  const [last, lines] = [[0, 0, 0, 0, 0], mappings.split(';')];
  return lines.map((line) => {
    last[0] = 0;
    return line
      .split(',')
      .filter(Boolean)
      .map((text) => {
        numbersOf(text).forEach((change, field) => {
          last[field] = (last[field] ?? 0) + change;
        });
        return last.slice(0, Math.min(numbersOf(text).length, 4)) as unknown as Segment;
      });
  });
}

function encoded(lines: readonly Segment[][]): string {
  const last = [0, 0, 0, 0];
  const text = (segment: Segment) =>
    segment
      .map((value = 0, field) => {
        const change = value - (last[field] ?? 0);
        last[field] = value;
        return vlq(change);
      })
      .join('');
  return lines
    .map((segments) => {
      last[0] = 0;
      return segments.map(text).join(',');
    })
    .join(';');
}

/** Base 64 VLQ: five bits a digit, the lowest first; the lowest bit of all is the sign. */
function numbersOf(text: string): number[] {
  const numbers: number[] = [];
  let [value, shift] = [0, 0];
  for (const character of text) {
    const digit = DIGITS.indexOf(character);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}

function vlq(number: number): string {
  let rest = number < 0 ? (-number << 1) | 1 : number << 1;
  let text = '';
  do {
    const digit = rest & 31;
    rest >>= 5;
    text += DIGITS[rest > 0 ? digit | 32 : digit];
  } while (rest > 0);
  return text;
}
