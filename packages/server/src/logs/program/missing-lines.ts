import { linesOf, timeAt } from './chunk.ts';
import { textOf } from './chunk-rows.ts';
import type { LogStore } from './store.ts';

/** Chunks that are in memory at a time. */
const TOGETHER = 16;

type Streams = ReadonlyMap<string, readonly Buffer[]>;

/** Of stored lines (chunk.ts) of an issuer, by stream: those that are not there yet. Of the same ones, as many as there are more. */
export async function missingLines(
  store: Pick<LogStore, 'heads' | 'chunks'>,
  issuer: string,
  streams: Streams,
): Promise<Streams> {
  const times = [...streams.values()].flat().map((line) => timeAt(line, 0));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  /** How many there are of each, which may be none. */
  const there = new Map<string, number>();
  for (const [stream, lines] of streams) for (const line of lines) there.set(keyOf(stream, line), 0);
  const found = await store.heads((stream) => stream.issuer === issuer && streams.has(stream.name), from, to);
  const names = new Map(found.streams.map(({ id, name }) => [id, name]));
  for (let at = 0; at < found.heads.length; at += TOGETHER) {
    const ids = found.heads.slice(at, at + TOGETHER).map(({ id }) => id);
    for (const chunk of await store.chunks(ids)) {
      const text = textOf(chunk);
      for (const { from: begin, to: end } of linesOf(text)) {
        const time = timeAt(text, begin);
        if (time < from || time > to) continue;
        const key = keyOf(names.get(chunk.stream) ?? '', text.subarray(begin, end));
        const count = there.get(key);
        if (count !== undefined) there.set(key, count + 1);
      }
    }
  }
  const isMissing = (stream: string, line: Buffer): boolean => {
    const key = keyOf(stream, line);
    const count = there.get(key) ?? 0;
    there.set(key, count - 1);
    return count <= 0;
  };
  return new Map(
    [...streams]
      .map(([stream, lines]) => [stream, lines.filter((line) => isMissing(stream, line))] as const)
      .filter(([, lines]) => lines.length > 0),
  );
}

function keyOf(stream: string, line: Buffer): string {
  return `${stream} ${line.toString('latin1')}`;
}
