/** A thread that reads lines for one reader: unpacks, searches, sorts, so that storing lines waits for nobody who reads. */
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { textOf } from './chunk-rows.ts';
import { type Found, lineFinder } from './matcher.ts';
import type { Answer, FromThread, Order, Question } from './query-messages.ts';
import type { Chunk, ChunkHead } from './store.ts';
import type { Stream } from './stream-list.ts';

/** Bytes that are handed on together. */
const PORTION = 64 * 1024;
/** Chunks that are asked for together. */
const TOGETHER = 16;

interface Line {
  time: number;
  stream: number;
  /** With its newline. */
  text: Buffer;
}

const port = parentPort;
if (!port) throw new TypeError('this is a thread of a program');

async function ask(question: Question): Promise<Answer> {
  port?.postMessage(question satisfies FromThread);
  if (!port) throw new TypeError();
  const [answer] = await once(port, 'message');
  return answer as Answer;
}

/** What goes out, in portions; waits while nobody takes them. */
class Output {
  #parts: Buffer[] = [];
  #size = 0;
  readonly #told = new Set<number>();
  readonly #names = new Map<number, { issuer: string; name: string }>();

  know(streams: Answer['streams']): void {
    for (const { id, issuer, name } of streams) this.#names.set(id, { issuer, name });
  }

  async line({ stream, text }: Line): Promise<void> {
    if (!this.#told.has(stream)) {
      this.#told.add(stream);
      const { issuer = '', name = '' } = this.#names.get(stream) ?? {};
      this.#add(Buffer.from(`S ${stream} ${issuer} ${name}\n`));
    }
    this.#add(Buffer.from(`L ${stream} `), text);
    if (this.#size >= PORTION) await this.flush();
  }

  async mark(word: string): Promise<void> {
    this.#add(Buffer.from(`${word}\n`));
    await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#size === 0) return;
    const text = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    await ask({ type: 'text', text });
  }

  #add(...parts: Buffer[]): void {
    this.#parts.push(...parts);
    for (const { length } of parts) this.#size += length;
  }
}

const order = workerData as Order;
const findOld = lineFinder(order.expression, order.from, order.to);
/** Times bound what was there: a line that comes may have a time of long ago. */
const findNew = lineFinder(order.expression, 0, Number.MAX_SAFE_INTEGER);
/** Of lines with the same time, and of several streams: told in this order wherever, and however they came to be stored. */
const places = new Map(order.streams.toSorted(byName).map(({ id }, place) => [id, place]));
const output = new Output();
output.know(order.streams);

function byName(a: Stream, b: Stream): number {
  const [nameA, nameB] = [a, b].map(({ issuer, name }) => `${issuer} ${name}`) as [string, string];
  return nameA < nameB ? -1 : Number(nameA > nameB);
}

function byTime(a: Line, b: Line): number {
  return a.time - b.time || (places.get(a.stream) ?? 0) - (places.get(b.stream) ?? 0);
}

function linesIn(chunk: Chunk, find = findOld): Line[] {
  const text = textOf(chunk);
  return Array.from(find(text), ({ time, from, to }: Found) => ({
    time,
    stream: chunk.stream,
    text: text.subarray(from, to),
  }));
}

async function fetch(heads: readonly ChunkHead[]): Promise<Chunk[]> {
  const { chunks } = await ask({ type: 'chunks', ids: heads.map(({ id }) => id) });
  const byId = new Map(chunks.map((chunk) => [chunk.id, chunk]));
  return heads.flatMap(({ id }) => byId.get(id) ?? []);
}

/** All lines, by time: those before the first line of the next chunk are complete. */
async function tellAll(heads: readonly ChunkHead[]): Promise<void> {
  let waiting: Line[] = [];
  for (let from = 0; from < heads.length; from += TOGETHER) {
    for (const chunk of await fetch(heads.slice(from, from + TOGETHER))) waiting.push(...linesIn(chunk));
    waiting.sort(byTime);
    const next = heads[from + TOGETHER]?.first ?? Number.POSITIVE_INFINITY;
    const complete = waiting.findIndex(({ time }) => time >= next);
    const ready = complete === -1 ? waiting : waiting.slice(0, complete);
    waiting = complete === -1 ? [] : waiting.slice(complete);
    for (const line of ready) await output.line(line);
  }
}

/** The last lines, by time: chunks are read from the end, until none can have a later one. */
async function tellLast(heads: readonly ChunkHead[], count: number): Promise<void> {
  const latest = heads.toSorted((a, b) => b.last - a.last);
  let lines: Line[] = [];
  for (let from = 0; from < latest.length && count > 0; from += TOGETHER) {
    const some = latest.slice(from, from + TOGETHER);
    const oldest = lines.length < count ? Number.NEGATIVE_INFINITY : (lines[0]?.time ?? 0);
    if ((some[0]?.last ?? 0) < oldest) break;
    for (const chunk of await fetch(some)) lines.push(...linesIn(chunk));
    lines = lines.sort(byTime).slice(-count);
  }
  for (const line of lines) await output.line(line);
}

const { heads, last, follow } = order;
await (last === undefined ? tellAll(heads) : tellLast(heads, last));
await output.mark('H');
if (follow) await output.mark(`P ${order.reached}`);
while (follow) {
  const { chunks, streams, reached } = await ask({ type: 'arrivals' });
  output.know(streams);
  for (const chunk of chunks) for (const line of linesIn(chunk, findNew)) await output.line(line);
  await output.mark(`P ${reached}`);
}
port.postMessage({ type: 'end' } satisfies FromThread);
