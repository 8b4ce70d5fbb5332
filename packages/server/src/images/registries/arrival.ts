/** Watches an image arrive: tells its bytes, and makes volumes of the layers that are there while others still come. */
import { setTimeout as pause } from 'node:timers/promises';
import { type RoomGuard, UserError } from '../../platform/index.ts';
import type { Descriptor, VolumeDraft, Volumes, VolumesAhead } from '../layers/index.ts';
import type { Report } from '../progress.ts';
import type { Store } from '../store/index.ts';

/** skopeo tells nothing while it works without a terminal: its files are looked at. */
const LOOK_MS = 250;
/**
 * Without a byte for so long, the registry is taken for dead: skopeo would wait for ever. Long, since nothing arrives either while
 * skopeo unpacks a large layer and six others wait for their turn.
 */
const SILENCE_MS = 600_000;

const UNCHANGED = 'No image was changed.';

export interface ArrivalParts {
  store: Store;
  volumes: Volumes;
  room: RoomGuard;
}

export interface Arriving {
  layers: readonly Descriptor[];
  /** Of the same layers. */
  diffIds: readonly string[];
  report: Report;
  /** Aborted when nobody waits for the image any more. */
  signal: AbortSignal;
  /** Of the layers, until now. */
  bytes: () => number;
  /** Brings the image into the store, with what is on its way in folder `temporary`. */
  copy: (temporary: string, signal: AbortSignal) => Promise<void>;
  /** Milliseconds; for tests. */
  silence?: number;
}

/**
 * Runs `copy` to its end; answers the volumes that were begun meanwhile. Throws what it throws, and UserError when nothing comes any
 * more.
 */
export async function receiveLayers(parts: ArrivalParts, arriving: Arriving): Promise<VolumesAhead> {
  const { store, volumes, room } = parts;
  const before = await store.layers();
  const missing = new Set(arriving.diffIds.filter((diffId) => !before.has(diffId)));
  const given = new AbortController();
  await using stack = new AsyncDisposableStack();
  const drafts = stack.use(new Drafts(volumes));
  await store.withTemporary(async (temporary) => {
    const copying = arriving.copy(temporary, AbortSignal.any([arriving.signal, given.signal]));
    try {
      await watch({ store, room }, arriving, { copying, missing, drafts });
    } catch (error) {
      given.abort(error);
    }
    await copying;
  });
  // Those that are not begun yet are left to who needs them, at once.
  drafts.stop();
  stack.move();
  return drafts;
}

/** Looks until the copying has ended, however. Throws UserError when nothing comes any more. */
async function watch(
  { store, room }: Pick<ArrivalParts, 'store' | 'room'>,
  { layers, diffIds, report, bytes, silence = SILENCE_MS }: Arriving,
  { copying, missing, drafts }: { copying: Promise<void>; missing: ReadonlySet<string>; drafts: Drafts },
): Promise<void> {
  // The same layer may be in an image twice, and comes once.
  const coming = new Map(
    layers.filter((_, at) => missing.has(diffIds[at] ?? '')).map(({ digest, size }) => [digest, size]),
  );
  const total = coming.values().reduce((sum, size) => sum + size, 0);
  await room.require(UNCHANGED, total);
  let ended = false;
  const end = () => {
    ended = true;
  };
  const over = copying.then(end, end);
  let [arrived, unpacked, moved] = [-1, 0, Date.now()];
  while (!ended) {
    const present = await store.layers();
    const ready = diffIds.filter((diffId) => present.has(diffId)).length;
    const now = Math.min(total, bytes());
    if (now > arrived || ready > unpacked || now === total)
      [arrived, unpacked, moved] = [now, ready, Date.now()];
    if (arrived < total) {
      const step = `Fetching the image, layer ${Math.min(ready + 1, layers.length)} of ${layers.length}`;
      report(step, { done: arrived, total, unit: 'bytes' });
    } else report('Unpacking the image', { done: ready, total: layers.length, unit: 'layers' });
    for (const diffId of missing) {
      const layer = present.get(diffId);
      if (layer) drafts.add(layer);
    }
    if (Date.now() - moved > silence) throw silent();
    // What is packed well may be a thousand times as large.
    await room.require(UNCHANGED);
    await Promise.race([over, pause(LOOK_MS)]);
  }
}

/**
 * Volumes made ahead, one after the other. They are nobody's before the whole image is there: only then is it sure that no
 * layer was removed while its volume was made.
 */
class Drafts implements VolumesAhead {
  readonly #volumes: Volumes;
  readonly #seen = new Set<string>();
  readonly #begun = new Map<string, Promise<VolumeDraft | undefined>>();
  #tail: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(volumes: Volumes) {
    this.#volumes = volumes;
  }

  add(layer: Parameters<Volumes['draft']>[0]): void {
    if (this.#seen.has(layer.diffId)) return;
    this.#seen.add(layer.diffId);
    this.#tail = this.#tail.then(async () => {
      if (this.#stopped) return;
      // What fails here is made again later, and told then.
      const making = this.#volumes.draft(layer).catch(() => undefined);
      this.#begun.set(layer.diffId, making);
      await making;
    });
  }

  /** Begins no more of them. */
  stop(): void {
    this.#stopped = true;
  }

  async take(diffId: string): Promise<VolumeDraft | undefined> {
    const making = this.#begun.get(diffId);
    this.#begun.delete(diffId);
    return making;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#tail;
    for (const making of this.#begun.values()) await (await making)?.[Symbol.asyncDispose]();
  }
}

function silent(): UserError {
  return new UserError(
    'UNAVAILABLE',
    'The registry sends nothing any more.',
    'Repeat the command: layers that have arrived are not fetched again.',
  );
}
