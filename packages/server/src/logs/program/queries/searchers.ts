import { Worker } from 'node:worker_threads';
import type { Chunk } from '../chunk-reads.ts';
import type { FoundLines, SearchResult, SearchTask, ThreadData, Wanted } from './messages.ts';

interface Waiting {
  task: SearchTask;
  done: PromiseWithResolvers<FoundLines[]>;
}

/** Threads that search chunks, for all readers: each takes the task that has waited longest. They are there while somebody reads. */
export class Searchers {
  readonly #thread: URL;
  readonly #count: number;
  readonly #idle: Worker[] = [];
  readonly #tasks = new Map<Worker, Waiting>();
  readonly #waiting: Waiting[] = [];
  #rests = true;

  /** `thread` is the file of thread.ts. */
  constructor(thread: URL, count: number) {
    this.#thread = thread;
    this.#count = count;
  }

  /** Lines that are wanted of these chunks, in their order. */
  async find(chunks: readonly Chunk[], wanted: Wanted): Promise<FoundLines[]> {
    const done = Promise.withResolvers<FoundLines[]>();
    this.#rests = false;
    this.#waiting.push({ task: { chunks: chunks.map(alone), wanted }, done });
    this.#next();
    return await done.promise;
  }

  /** Nobody reads any more: ends the threads, and forgets what they were asked. The next task begins others. */
  async rest(): Promise<void> {
    this.#rests = true;
    this.#waiting.length = 0;
    const idle = this.#idle.splice(0);
    await Promise.all(idle.map((worker) => worker.terminate()));
  }

  #next(): void {
    const worker = this.#waiting.length === 0 ? undefined : this.#free();
    if (!worker) return;
    const next = this.#waiting.shift();
    if (!next) return;
    this.#tasks.set(worker, next);
    const { chunks } = next.task;
    worker.postMessage(next.task, [...new Set(chunks.map(({ data }) => data.buffer as ArrayBuffer))]);
  }

  #free(): Worker | undefined {
    const idle = this.#idle.pop();
    if (idle || this.#tasks.size >= this.#count) return idle;
    const worker = new Worker(this.#thread, {
      workerData: { order: undefined } satisfies ThreadData,
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    });
    worker.on('message', ({ found }: SearchResult) => {
      this.#tasks.get(worker)?.done.resolve(found);
      this.#tasks.delete(worker);
      if (this.#rests) void worker.terminate();
      else this.#idle.push(worker);
      this.#next();
    });
    worker.once('error', (error) => {
      this.#tasks.get(worker)?.done.reject(error);
      this.#tasks.delete(worker);
      const idle = this.#idle.indexOf(worker);
      if (idle >= 0) this.#idle.splice(idle, 1);
      this.#next();
    });
    return worker;
  }
}

/** With its bytes in memory that it shares with nothing: a thread can be given that. */
function alone(chunk: Chunk): Chunk {
  const { data } = chunk;
  return data.byteLength === data.buffer.byteLength ? chunk : { ...chunk, data: new Uint8Array(data) };
}
