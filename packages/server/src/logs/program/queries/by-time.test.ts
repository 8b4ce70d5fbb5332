import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ChunkHead } from '../chunk-reads.ts';
import { linesByTime, type Source, startOfLast, Waiting } from './by-time.ts';
import type { Line } from './output.ts';

/** The same numbers at each run (xorshift). */
function numbers(): (below: number) => number {
  let state = 0x2545f491;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const byTime = (a: Line, b: Line) => a.time - b.time || a.stream - b.stream;
const idOf = ({ time, stream, text }: Line) => `${time} ${stream} ${text}`;

/** Chunks as they lie in the database, by their first line, and what reads them. */
function played(chunks: Line[][]): { heads: ChunkHead[]; source: Source; reads: () => number } {
  const sorted = chunks
    .map((lines) => lines.toSorted((a, b) => a.time - b.time))
    .sort((a, b) => (a[0]?.time ?? 0) - (b[0]?.time ?? 0));
  const heads = sorted.map((lines, id) => {
    const [first, last] = [lines[0]?.time ?? 0, lines.at(-1)?.time ?? 0];
    return { id, stream: lines[0]?.stream ?? 0, first, last, lines: lines.length, size: 0, packed: 0 };
  });
  let reads = 0;
  const source: Source = async function* (portions) {
    for (const portion of portions) {
      reads += portion.length;
      yield portion.flatMap(({ id }) => sorted[id] ?? []);
    }
  };
  return { heads, source, reads: () => reads };
}

async function told(portions: AsyncIterable<Line[]>): Promise<Line[]> {
  const all: Line[] = [];
  for await (const lines of portions) all.push(...lines);
  return all;
}

/** `span`: of the times of a chunk. */
function chunksOf(count: number, span: number): Line[][] {
  const number = numbers();
  return Array.from({ length: count }, (_, chunk) => {
    const [begin, stream] = [number(1000), number(3)];
    return Array.from({ length: 1 + number(40) }, (_, line) => {
      return { time: begin + number(span), stream, text: Buffer.from(`${chunk} ${line}`) };
    });
  });
}

describe('lines of chunks whose times overlap', () => {
  for (const span of [1, 20, 5000]) {
    const chunks = chunksOf(200, span);
    const { heads, source } = played(chunks);
    // Of the same time and stream, in the order of their chunks.
    const expected = async () => (await told(source([heads]))).sort(byTime);

    for (const most of [2000, 20_000, 200_000, 1e9]) {
      test(`of ${span}: come by time, though only ${most} bytes may wait`, async () => {
        const lines = await told(linesByTime(heads, source, byTime, -1, { most, passes: 10_000 }));
        const order = (await expected()).map(({ time, stream }) => `${time} ${stream}`);
        // What has one time may be more than may wait: then each stream comes in its order, and that is all.
        const isOrdered = span > 1 || most > 200_000;
        assert.deepEqual(
          lines.map(({ time, stream }) => (isOrdered ? `${time} ${stream}` : time)),
          isOrdered ? order : order.map((line) => Number(line.split(' ')[0])),
        );
        assert.deepEqual(new Set(lines.map(idOf)), new Set((await expected()).map(idOf)));
      });
    }

    test(`of ${span}: the last ones, and those from a time on`, async () => {
      const all = await expected();
      for (const count of [1, 7, 500, all.length, all.length + 1]) {
        const { from, skip } = await startOfLast(heads, count, source);
        const lines = await told(linesByTime(heads, source, byTime, from));
        assert.deepEqual(lines.slice(skip).map(idOf), all.slice(-count).map(idOf));
      }
      const late = all.filter(({ time }) => time >= 700).map(idOf);
      assert.deepEqual((await told(linesByTime(heads, source, byTime, 700))).map(idOf), late);
    });
  }

  test('are read so often at most; each comes once all the same', async () => {
    const { heads, source, reads } = played(chunksOf(200, 5000));
    const lines = await told(linesByTime(heads, source, byTime, -1, { most: 5000, passes: 3 }));
    assert.ok(reads() <= 3 * heads.length, `${reads()} reads of ${heads.length} chunks`);
    const all = await told(source([heads]));
    assert.deepEqual(lines.map(idOf).sort(), all.map(idOf).sort());
  });
});

describe('what waits', () => {
  const line = (time: number, text = Buffer.alloc(100)): Line => ({ time, stream: 1, text });
  const MOST = 50_000;
  const cases: [string, (at: number) => number][] = [
    ['of all times', (at) => (at * 7919) % 1000],
    ['of one time', () => 5],
    ['of one time, behind an earlier one', (at) => Math.min(at, 1)],
    ['of two times', (at) => at % 2],
  ];
  for (const mayDrop of [true, false]) {
    for (const [name, timeOf] of cases) {
      test(`has a bound: lines ${name}${mayDrop ? '' : ', in the last pass'}`, () => {
        const waiting = new Waiting(byTime, 0, MOST, mayDrop);
        for (let at = 0; at < 2000; at += 100) {
          waiting.add(Array.from({ length: 100 }, (_, more) => line(timeOf(at + more))));
          waiting.trim();
          assert.ok(waiting.size <= MOST, `${waiting.size} bytes wait`);
        }
      });
    }
  }

  test('does not keep the memory of the chunks that it comes from', () => {
    const waiting = new Waiting(byTime, 0, MOST, true);
    for (let at = 0; at < 50; at += 1) {
      const chunk = Buffer.allocUnsafeSlow(256 * 1024);
      waiting.add([line(1, chunk.subarray(0, 100)), line(1000, chunk.subarray(100, 200))]);
      waiting.take(500);
      waiting.trim();
    }
    const lines = waiting.take(Number.POSITIVE_INFINITY);
    assert.equal(lines.length, 50);
    const held = [...new Set(lines.map(({ text }) => text.buffer))];
    assert.ok(held.reduce((sum, { byteLength }) => sum + byteLength, 0) < 2 * 256 * 1024);
  });
});
