/** For one reader: unpacks chunks or has them searched, sorts their lines, tells them. */
import type { MessagePort } from 'node:worker_threads';
import { linesOf, timeAt } from '../chunk.ts';
import type { Chunk, ChunkHead } from '../chunk-reads.ts';
import { textOf } from '../chunk-rows.ts';
import type { Stream } from '../stream-list.ts';
import { BEGINNING, type ByTime, linesByTime, type Source, startOfLast } from './by-time.ts';
import { lineFinder } from './matcher.ts';
import type { Order } from './messages.ts';
import { type Line, Output } from './output.ts';
import { Program } from './program.ts';

/** Tells all that is ordered. */
export async function tell(order: Order, port: MessagePort): Promise<void> {
  const { heads, last, follow, expression } = order;
  const program = new Program(port);
  const output = new Output(program);
  output.know(order.streams);
  const byTime = inTime(order.streams);
  const source = linesOfPortions(program, order);
  if (last !== 0) {
    const { from, skip } = last === undefined ? BEGINNING : await startOfLast(heads, last, source);
    await tellFrom(linesByTime(heads, source, byTime, from), skip, output);
  }
  await output.mark('H');
  if (follow) await output.mark(`P ${order.reached}`);
  // Times bound what was there: a line that comes may have a time of long ago.
  const find = lineFinder(expression, 0, Number.MAX_SAFE_INTEGER);
  while (follow) {
    const { chunks, streams, reached } = await program.ask({ type: 'arrivals' });
    output.know(streams);
    for (const chunk of chunks) for (const line of linesIn(chunk, find)) await output.line(line);
    await output.mark(`P ${reached}`);
  }
  program.end();
}

/** Of lines with the same time, and of several streams: told in one order wherever, and however they came to be stored. */
function inTime(streams: readonly Stream[]): ByTime {
  const places = new Map(streams.toSorted(byName).map(({ id }, place) => [id, place]));
  return (a, b) => a.time - b.time || (places.get(a.stream) ?? 0) - (places.get(b.stream) ?? 0);
}

function byName(a: Stream, b: Stream): number {
  const [nameA, nameB] = [a, b].map(({ issuer, name }) => `${issuer} ${name}`) as [string, string];
  return nameA < nameB ? -1 : Number(nameA > nameB);
}

/** Whoever wants all lines unpacks them here: other threads would only hand them on. */
function linesOfPortions(program: Program, { expression, from, to, ahead }: Order): Source {
  const isSearch = expression !== undefined && expression !== '';
  const find = lineFinder(expression, from, to);
  const idsOf = (heads: readonly ChunkHead[]) => heads.map(({ id }) => id);
  const searched = async (heads: readonly ChunkHead[]): Promise<Line[]> => {
    const { found } = await program.ask({ type: 'search', ids: idsOf(heads) });
    return found.flatMap(({ stream, text }) => allLines(stream, Buffer.from(text.buffer)));
  };
  const unpacked = async (heads: readonly ChunkHead[]): Promise<Line[]> => {
    const { chunks } = await program.ask({ type: 'chunks', ids: idsOf(heads) });
    const byId = new Map(chunks.map((chunk) => [chunk.id, chunk]));
    return heads.flatMap(({ id }) => {
      const chunk = byId.get(id);
      return chunk ? linesIn(chunk, find) : [];
    });
  };
  return async function* (portions) {
    const open: Promise<Line[]>[] = [];
    const begin = (heads: readonly ChunkHead[] | undefined) => {
      if (heads) open.push(isSearch ? searched(heads) : unpacked(heads));
    };
    let next = 0;
    for (; next < (isSearch ? ahead : 1); next += 1) begin(portions[next]);
    for (let lines = open.shift(); lines; lines = open.shift(), next += 1) {
      const told = await lines;
      begin(portions[next]);
      yield told;
    }
  };
}

function linesIn(chunk: Chunk, find: ReturnType<typeof lineFinder>): Line[] {
  const text = textOf(chunk);
  return Array.from(find(text), ({ time, from, to }) => ({
    time,
    stream: chunk.stream,
    text: text.subarray(from, to),
  }));
}

function allLines(stream: number, text: Buffer): Line[] {
  return Array.from(linesOf(text), ({ from, to }) => ({
    time: timeAt(text, from),
    stream,
    text: text.subarray(from, to),
  }));
}

/** All but the first few. */
async function tellFrom(portions: AsyncIterable<Line[]>, skip: number, output: Output): Promise<void> {
  let left = skip;
  for await (const lines of portions) {
    for (const line of lines.slice(left)) await output.line(line);
    left = Math.max(0, left - lines.length);
  }
}
