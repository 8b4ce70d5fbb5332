/** For one reader: unpacks chunks or has them searched, sorts their lines, tells them. */
import type { MessagePort } from 'node:worker_threads';
import { linesOf, timeAt } from '../chunk.ts';
import type { Chunk, ChunkHead } from '../chunk-reads.ts';
import { textOf } from '../chunk-rows.ts';
import type { Stream } from '../stream-list.ts';
import { lineFinder } from './matcher.ts';
import type { Order } from './messages.ts';
import { type Line, Output } from './output.ts';
import { Program } from './program.ts';

/** Chunks that are asked for together. */
const TOGETHER = 16;

/** Tells all that is ordered. */
export async function tell(order: Order, port: MessagePort): Promise<void> {
  const { heads, last, follow, expression } = order;
  const program = new Program(port);
  const output = new Output(program);
  output.know(order.streams);
  const byTime = inTime(order.streams);
  const source = linesOfPortions(program, order);
  await (last === undefined
    ? tellAll(heads, source, byTime, output)
    : tellLast(heads, last, source, byTime, output));
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
function inTime(streams: readonly Stream[]): (a: Line, b: Line) => number {
  const places = new Map(streams.toSorted(byName).map(({ id }, place) => [id, place]));
  return (a, b) => a.time - b.time || (places.get(a.stream) ?? 0) - (places.get(b.stream) ?? 0);
}

function byName(a: Stream, b: Stream): number {
  const [nameA, nameB] = [a, b].map(({ issuer, name }) => `${issuer} ${name}`) as [string, string];
  return nameA < nameB ? -1 : Number(nameA > nameB);
}

/** The lines that are wanted of each portion of chunks, portion after portion. */
type Source = (portions: readonly (readonly ChunkHead[])[]) => AsyncGenerator<Line[]>;

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

function portionsOf(heads: readonly ChunkHead[]): ChunkHead[][] {
  return Array.from({ length: Math.ceil(heads.length / TOGETHER) }, (_, at) =>
    heads.slice(at * TOGETHER, (at + 1) * TOGETHER),
  );
}

/** All lines, by time: those before the first line of the next chunk are complete. */
async function tellAll(
  heads: readonly ChunkHead[],
  source: Source,
  byTime: (a: Line, b: Line) => number,
  output: Output,
): Promise<void> {
  const portions = portionsOf(heads);
  let waiting: Line[] = [];
  let at = 0;
  for await (const lines of source(portions)) {
    at += 1;
    for (const line of lines) waiting.push(line);
    waiting.sort(byTime);
    const next = portions[at]?.[0]?.first ?? Number.POSITIVE_INFINITY;
    const complete = waiting.findIndex(({ time }) => time >= next);
    const ready = complete === -1 ? waiting : waiting.slice(0, complete);
    waiting = complete === -1 ? [] : waiting.slice(complete);
    for (const line of ready) await output.line(line);
  }
}

/** The last lines, by time: chunks are read from the end, until none can have a later one. */
async function tellLast(
  heads: readonly ChunkHead[],
  count: number,
  source: Source,
  byTime: (a: Line, b: Line) => number,
  output: Output,
): Promise<void> {
  const portions = count > 0 ? portionsOf(heads.toSorted((a, b) => b.last - a.last)) : [];
  let lines: Line[] = [];
  let at = 0;
  for await (const some of source(portions)) {
    at += 1;
    for (const line of some) lines.push(line);
    lines = lines.sort(byTime).slice(-count);
    const oldest = lines.length < count ? Number.NEGATIVE_INFINITY : (lines[0]?.time ?? 0);
    if ((portions[at]?.[0]?.last ?? 0) < oldest) break;
  }
  for (const line of lines) await output.line(line);
}
