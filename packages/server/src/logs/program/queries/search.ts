import type { MessagePort } from 'node:worker_threads';
import { textOf } from '../chunk-rows.ts';
import { lineFinder } from './matcher.ts';
import type { FoundLines, SearchResult, SearchTask, Wanted } from './messages.ts';

/** Expressions that are kept ready: of readers that search at the same time. */
const READY = 16;

/** Searches chunks that come, one task after the other. */
export function serveSearches(port: MessagePort): void {
  const ready = new Map<string, ReturnType<typeof lineFinder>>();
  const finderOf = (wanted: Wanted) => {
    const key = JSON.stringify(wanted);
    const known = ready.get(key);
    if (known) return known;
    const [oldest] = ready.keys();
    if (ready.size >= READY && oldest !== undefined) ready.delete(oldest);
    const finder = lineFinder(wanted.expression, wanted.from, wanted.to);
    ready.set(key, finder);
    return finder;
  };
  port.on('message', ({ chunks, wanted }: SearchTask) => {
    const finder = finderOf(wanted);
    const found = chunks.flatMap((chunk): FoundLines[] => {
      const text = textOf(chunk);
      const parts = Array.from(finder(text), ({ from, to }) => text.subarray(from, to));
      return parts.length === 0 ? [] : [{ stream: chunk.stream, text: joined(parts) }];
    });
    port.postMessage({ found } satisfies SearchResult, transferable(found));
  });
}

/** In memory of its own, which another thread can be given. */
function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const text = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    text.set(part, at);
    at += part.length;
  }
  return text;
}

/** The memory of what was found: it goes to the other thread without being copied. */
export function transferable(found: readonly FoundLines[]): ArrayBuffer[] {
  return found.flatMap(({ text }) => (text.buffer instanceof ArrayBuffer ? [text.buffer] : []));
}
