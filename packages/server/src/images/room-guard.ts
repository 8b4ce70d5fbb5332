import { DiskFull, roomIn } from './disk-full.ts';

/** Milliseconds between two looks. */
const INTERVAL = 1000;

/** Watches the room on the server's disk while users' programs write to it: containers have no quota of their own. */
export class RoomGuard {
  readonly #folder: string;
  readonly #watchers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Throws UserError UNAVAILABLE when what is left is the server's own reserve. */
  async require(): Promise<void> {
    if ((await roomIn(this.#folder)) <= 0) throw this.failure('Nothing was begun.');
  }

  /** Calls `act` as soon as only the reserve is left, once. To be disposed. */
  watch(act: () => void): Disposable {
    const watcher = () => act();
    this.#watchers.add(watcher);
    this.#timer ??= setInterval(() => void this.#look(), INTERVAL).unref();
    return {
      [Symbol.dispose]: () => {
        this.#watchers.delete(watcher);
        if (this.#watchers.size === 0) this.close();
      },
    };
  }

  failure(safe: string): DiskFull {
    return new DiskFull(this.#folder, safe);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    // A disk that cannot be asked is no reason to end anything.
    const room = await roomIn(this.#folder).catch(() => Number.POSITIVE_INFINITY);
    if (room > 0) return;
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const act of watchers) act();
  }
}
