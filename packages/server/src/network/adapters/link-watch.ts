import { setTimeout as delay } from 'node:timers/promises';
import { createLog, type StreamedProgram, streamProgram } from '../../platform/index.ts';
import type { Where } from '../ip.ts';

const log = createLog('network');
/** Milliseconds before a program that ended is started again. */
const PAUSE = 1_000;

/**
 * Tells of changes of links, addresses and routes in some namespaces, as the kernel does: soon, but not surely, since it drops what it
 * cannot deliver.
 */
export class LinkWatch {
  readonly #changed: () => void;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>[];

  constructor(namespaces: readonly Where[], changed: () => void) {
    this.#changed = changed;
    this.#running = namespaces.map((where) => this.#follow(where));
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#running);
  }

  async #follow(where: Where): Promise<void> {
    const { signal } = this.#ended;
    const argv = [
      'ip',
      ...(where === undefined ? [] : ['-netns', where]),
      'monitor',
      'link',
      'address',
      'route',
    ];
    while (!signal.aborted) {
      await this.#read(streamProgram(argv, { signal }));
      if (signal.aborted) return;
      log.warn('what tells of changes of adapters ended; it is started again', { namespace: where ?? 'own' });
      await delay(PAUSE, undefined, { signal }).catch(() => {});
      // It may have missed some.
      this.#changed();
    }
  }

  async #read(program: StreamedProgram): Promise<void> {
    try {
      for await (const _ of program.stdout) this.#changed();
    } catch {
      // It failed or was ended: both mean that it is over.
    }
  }
}
