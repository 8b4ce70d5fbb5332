import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DiskFull,
  isUserError,
  KeyedLock,
  type Log,
  type Paths,
  type Retention,
} from '../../platform/index.ts';
import type { Catalogue, Keeping } from '../catalogue/index.ts';
import { explainDiskFull } from '../disk-full.ts';
import { SharedLock } from '../locks.ts';
import type { Report } from '../progress.ts';
import { imageId, type Store } from '../store/index.ts';
import type { DigestRecord, PrepareBoot } from '../types.ts';
import { adopt, type Provenance } from './adoption.ts';
import { HeldImages, type Hold } from './held-images.ts';
import type { Volumes, VolumesAhead } from './volumes.ts';

interface Deps {
  paths: Paths;
  store: Store;
  volumes: Volumes;
  catalogue: Catalogue;
  prepareBoot: PrepareBoot;
  hasBootFiles(digest: string): Promise<boolean>;
  /** Which older versions of images stay. */
  retention: Retention;
  log: Log;
}

/** Seconds for which a cloned image stays whose name was taken meanwhile: time to choose another. */
const UNCLAIMED = 3600;
/** Seconds for which layers stay that arrived before their clone broke off. */
const ARRIVED = 86_400;

/** Points a name to a finished image; throws when it may not. */
type Point = (record: DigestRecord) => Promise<void>;

/** Turns layers and tars into images that nodes can boot, and removes images that nobody needs. */
export class Committer {
  readonly #deps: Deps;
  /** New images have no name for a while: what collects unneeded ones must not run then. */
  readonly #unnamed = new SharedLock();
  /** Images that come from a registry or go to one: that may take an hour, so that no lock is held meanwhile. */
  readonly #held = new HeldImages();
  readonly #receiving = new KeyedLock();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Makes an image of a root file system's tar, with a configuration in words of a Dockerfile, and points a name to it. */
  async importTar(task: {
    tar: string;
    architecture: DigestRecord['architecture'];
    changes: readonly string[];
    report: Report;
    point: Point;
  }): Promise<DigestRecord> {
    const { tar, architecture, changes, report, point } = task;
    const { store, paths } = this.#deps;
    return this.#unnamed.share(() =>
      explainDiskFull(paths.state, 'No image was changed.', async () => {
        report('Unpacking the image');
        const digest = await store.importTar(tar, architecture, changes);
        return this.#publish(digest, report, point);
      }),
    );
  }

  /**
   * Makes anew what nodes need to boot images that could not boot, since by now somebody may lend what they lack, and images that
   * an older server prepared otherwise.
   */
  async mend(architecture?: DigestRecord['architecture'], report: Report = () => {}): Promise<void> {
    const { catalogue, hasBootFiles, log } = this.#deps;
    await this.#unnamed.share(async () => {
      for (const record of await catalogue.digests()) {
        if (architecture && record.architecture !== architecture) continue;
        if (record.kernel !== null && (await hasBootFiles(record.digest))) continue;
        try {
          await catalogue.refresh(await adopt(this.#deps, record.digest, report));
        } catch (error) {
          log.warn('cannot make what an image lacks to boot', {
            digest: record.digest,
            reason: String(error),
          });
        }
      }
    });
  }

  /**
   * Makes an image of what `fetch` brings into the store, unless it is there already, and points a name to it. `fetch` may answer
   * volumes that it has begun. Two who want the same image fetch it once.
   */
  receive(task: {
    digest: string;
    /** What its user calls it. */
    called?: string;
    layers: readonly string[];
    report: Report;
    fetch: () => Promise<VolumesAhead | undefined>;
    point: Point;
  }): Promise<DigestRecord> {
    const { digest, called, layers, report, fetch, point } = task;
    const act = async () => {
      const hold = await this.hold(digest, layers);
      let keep = 0;
      let full = false;
      let refused = false;
      try {
        const known = await this.#deps.catalogue.digest(digest);
        const record = known ?? (await this.#receive({ digest, called }, fetch, report));
        await point(record).catch((error: unknown) => {
          if (isUserError(error) && error.code === 'CONFLICT') keep = UNCLAIMED;
          throw error;
        });
        this.#held.claim(digest);
        return record;
      } catch (error) {
        full = error instanceof DiskFull;
        refused = isUserError(error) && error.code === 'FORBIDDEN';
        throw error;
      } finally {
        hold.release(keep);
        // Who filled the disk does not keep what he filled it with.
        if (full) await this.#removeStrayLayers(0);
        // Nor does who may not have it.
        if (refused) await this.#removeUnnamed(digest);
      }
    };
    return this.#receiving.hold(digest, act, () => report('Waiting for the same image, which is on its way'));
  }

  /** Makes an image of what `bring` puts into the store, one that is nowhere else, and points a name to it. */
  async adoptNew(task: {
    digest: string;
    /** Digest of the image that it is a change of. */
    base: string;
    layers: readonly string[];
    report: Report;
    bring: () => Promise<void>;
    point: Point;
  }): Promise<DigestRecord> {
    const { digest, base, layers, report, bring, point } = task;
    const hold = await this.hold(digest, layers);
    try {
      await bring();
      return await this.#publish(digest, report, point, { base });
    } finally {
      hold.release();
    }
  }

  /** Keeps an image of the store, named or not, from being removed. Waits until no removal runs. */
  hold(digest: string, layers: readonly string[]): Promise<Hold> {
    return this.#unnamed.share(async () => this.#held.hold(digest, layers));
  }

  /** Makes the volumes of these layers of an image, and its boot files, anew. Nodes that have them open lose what they read there. */
  async remake({ digest, layers }: DigestRecord, torn: readonly string[]): Promise<void> {
    const { catalogue, volumes } = this.#deps;
    await this.#unnamed.share(async () => {
      for (const diffId of torn) await volumes.remove(diffId);
      await catalogue.refresh(await adopt(this.#deps, digest, () => {}, { anew: true }));
      await this.#measure(layers);
    });
  }

  /** Digests of images of the store that the catalogue does not know, and that are not on their way. */
  unknown(): Promise<string[]> {
    const { catalogue, store } = this.#deps;
    return this.#unnamed.alone(async () => {
      const known = new Set((await catalogue.digests()).map(({ digest }) => digest)).union(
        this.#held.digests(),
      );
      return (await store.images()).filter((digest) => !known.has(digest));
    });
  }

  /** Keeps all images that the catalogue has while `act` runs, during which none is removed, until the hold is released. */
  holdAll<T>(act: () => Promise<T>): Promise<{ result: T; hold: Hold }> {
    return this.#unnamed.share(async () => {
      const result = await act();
      const records = await this.#deps.catalogue.digests();
      const holds = records.map(({ digest, layers }) => this.#held.hold(digest, layers));
      const release = (seconds?: number) => {
        for (const hold of holds) hold.release(seconds);
      };
      return { result, hold: { release } };
    });
  }

  /** Digests on their way in or out. */
  get held(): Set<string> {
    return this.#held.digests();
  }

  /** Removes all images that nobody needs (`Catalogue.forgetUnneeded`), with their volumes and boot files. Answers which. */
  async collect(keep: ReadonlySet<string>, keeping: Omit<Keeping, 'retention'>): Promise<DigestRecord[]> {
    const { catalogue, store, volumes, retention } = this.#deps;
    return this.#unnamed.alone(async () => {
      if (!(await catalogue.mayCollect())) return [];
      const held = this.#held.digests();
      const forgotten = await catalogue.forgetUnneeded(held.union(keep), { ...keeping, retention });
      const known = await catalogue.digests();
      const digests = held.union(new Set(known.map((record) => record.digest)));
      for (const digest of await store.images()) {
        // One that cannot be removed is tried again next time; it keeps no other from going.
        if (!digests.has(digest)) await this.#removeQuietly(digest);
      }
      await volumes.keepOnly(this.#held.layers().union(new Set(known.flatMap((record) => record.layers))));
      if (held.size === 0) await store.removeStrayLayers(ARRIVED);
      return forgotten;
    });
  }

  /** Those that are at least so old (seconds), unless an image is on its way, which may be one of theirs. */
  async #removeStrayLayers(age: number): Promise<void> {
    await this.#unnamed.alone(async () => {
      if (this.#held.digests().size === 0) await this.#deps.store.removeStrayLayers(age);
    });
  }

  /** Notes how large the layers are that nobody has measured yet. */
  async measureAll(): Promise<void> {
    const { catalogue } = this.#deps;
    await this.#unnamed.share(async () => {
      const known = await catalogue.layers();
      const all = new Set((await catalogue.digests()).flatMap((record) => record.layers));
      await this.#measure([...all].filter((diffId) => typeof known.get(diffId)?.size !== 'number'));
    });
  }

  async #measure(diffIds: readonly string[]): Promise<void> {
    const { catalogue, store, volumes } = this.#deps;
    if (diffIds.length === 0) return;
    const present = await store.layers();
    const measured = diffIds.map(async (diffId) => ({
      ...{ diffId, size: present.get(diffId)?.size ?? null, volume: await volumes.size(diffId) },
    }));
    await catalogue.noteLayers(await Promise.all(measured));
  }

  #receive(
    { digest, called }: { digest: string; called?: string | undefined },
    fetch: () => Promise<VolumesAhead | undefined>,
    report: Report,
  ): Promise<DigestRecord> {
    return explainDiskFull(this.#deps.paths.state, 'No image was changed.', async () => {
      await using ahead = await fetch();
      return await this.#publish(digest, report, async () => {}, { ahead, called });
    });
  }

  async #publish(digest: string, report: Report, point: Point, origin?: Provenance): Promise<DigestRecord> {
    try {
      const record = await adopt(this.#deps, digest, report, origin);
      await this.#measure(record.layers);
      await point(record);
      return record;
    } catch (error) {
      // Volumes stay until the next collection: another image may share them by now.
      if (!(await this.#deps.catalogue.digest(digest))) await this.#removeQuietly(digest);
      throw error;
    }
  }

  /** Removes an image of the store that is not catalogued, unless somebody holds it. */
  async #removeUnnamed(digest: string): Promise<void> {
    await this.#unnamed.alone(async () => {
      if (this.#held.digests().has(digest) || (await this.#deps.catalogue.digest(digest))) return;
      await this.#removeQuietly(digest);
    });
  }

  async #remove(digest: string): Promise<void> {
    // The image goes last: killed before, the next collection finds it and goes on. In use, it stays until then, too: somebody reads
    // files of an image that was removed meanwhile.
    await rm(join(this.#deps.paths.bootFiles, imageId(digest)), { recursive: true, force: true });
    await this.#deps.store.removeImage(digest);
  }

  /** What is left here goes with the next collection. */
  async #removeQuietly(digest: string): Promise<void> {
    await this.#remove(digest).catch((error: unknown) => {
      this.#deps.log.warn('cannot remove an image that nobody needs', { digest, reason: String(error) });
    });
  }
}
