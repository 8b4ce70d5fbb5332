import { DiskFull, roomForSaves, roomIn } from './room.ts';

/** Milliseconds between two looks. */
const INTERVAL = 1000;

/** Watches the room on the server's disk while users write to it: containers and streams have no quota of their own. */
export class RoomGuard {
  readonly #folder: string;
  readonly #reserved: number | undefined;
  readonly #watchers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  /** `reserved`: bytes that stay free; default: see `diskOf`. */
  constructor(folder: string, reserved?: number) {
    this.#folder = folder;
    this.#reserved = reserved;
  }

  /** Throws DiskFull when less than `bytes` is left but for the server's own reserve. */
  async require(safe = 'Nothing was begun.', bytes = 1): Promise<void> {
    if ((await roomIn(this.#folder, this.#reserved)) < bytes) throw this.failure(safe);
  }

  /** As `require`, for a save: it may take from the reserve, so that nobody who fills the disk keeps another one from it. */
  async requireForSave(safe: string, bytes: number): Promise<void> {
    if ((await roomForSaves(this.#folder, this.#reserved)) < bytes) throw this.failure(safe);
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

  /**
   * Runs what writes to the disk. Its signal is aborted when only the reserve is left, or with `signal`. Throws DiskFull before it
   * begins, or when that ended it; `safe` says what was not lost.
   */
  async guard<T>(safe: string, act: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.require(safe);
    const full = new AbortController();
    using _watch = this.watch(() => full.abort(this.failure(safe)));
    try {
      return await act(signal ? AbortSignal.any([signal, full.signal]) : full.signal);
    } catch (error) {
      // What was ended has words of its own for it.
      throw full.signal.aborted ? full.signal.reason : error;
    }
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
    const room = await roomIn(this.#folder, this.#reserved).catch(() => Number.POSITIVE_INFINITY);
    if (room > 0) return;
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const act of watchers) act();
  }
}
