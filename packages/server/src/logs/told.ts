import { timeAt } from './program/index.ts';

export interface ToldLine {
  /** Microseconds of Unix time. */
  time: number;
  issuer: string;
  stream: string;
  text: string;
}

const NEWLINE = 0x0a;
const BLANK = 0x20;
/** Digits of a time, and the blank behind it. */
const TIME = 17;

/** Lines as the program tells them (program/queries.ts), in portions. Throws when they break off before their end. */
export async function* toldLines(source: AsyncIterable<Buffer>): AsyncGenerator<ToldLine[]> {
  const streams = new Map<string, { issuer: string; stream: string }>();
  let rest = Buffer.alloc(0);
  let isWhole = false;
  for await (const part of source) {
    const bytes = Buffer.concat([rest, part]);
    const lines: ToldLine[] = [];
    let from = 0;
    for (let to = bytes.indexOf(NEWLINE); to !== -1; to = bytes.indexOf(NEWLINE, from)) {
      const kind = bytes.toString('latin1', from, from + 1);
      if (kind === 'H') isWhole = true;
      else if (kind === 'S') {
        const [, id = '', issuer = '', stream = ''] = bytes.toString('utf8', from, to).split(' ');
        streams.set(id, { issuer, stream });
      } else if (kind === 'L') {
        const at = bytes.indexOf(BLANK, from + 2) + 1;
        const stream = streams.get(bytes.toString('latin1', from + 2, at - 1));
        const text = bytes.toString('utf8', at + TIME, to);
        if (stream) lines.push({ time: timeAt(bytes, at), ...stream, text });
      }
      from = to + 1;
    }
    rest = bytes.subarray(from);
    if (lines.length > 0) yield lines;
  }
  if (!isWhole) throw new Error('lines break off');
}
