/** Local streams that take no more for now. */
import type { Writable } from 'node:stream';

/** Calls `then` once: when a full sink takes bytes again, or never will. */
export function whenFree(sink: Writable, then: () => void): void {
  const free = () => {
    sink.off('drain', free).off('close', free);
    then();
  };
  sink.on('drain', free).on('close', free);
}

/** Resolves when a sink has passed on what was written to it, or cannot any more. */
export async function flushed(sink: Writable): Promise<void> {
  if (sink.writableNeedDrain && !sink.destroyed)
    await new Promise<void>((resolve) => whenFree(sink, resolve));
}
