import { posix } from 'node:path';
import {
  type ImageChange,
  type ImageStep,
  type NamedImage,
  type Progress,
  shortDigest,
} from '@walt/contract';
import type { Database, Retention } from '../../platform/index.ts';
import { KeyedLock, UserError } from '../../platform/index.ts';
import type { Catalogue, LayerRecord } from '../catalogue/index.ts';
import {
  DISPLACED,
  type ImageTables,
  type Keeping,
  lineage,
  movedMeanwhile,
  numberVersions,
  versionsOf,
} from '../catalogue/index.ts';
import type { Committer } from '../layers/index.ts';
import { type Report, withReports } from '../progress.ts';
import type { Store } from '../store/index.ts';
import type { DigestRecord, ImageRecord } from '../types.ts';
import { describeContents } from './content-diff.ts';
import { compareTrees } from './tree-diff.ts';

interface Deps {
  database: Database<ImageTables>;
  catalogue: Catalogue;
  committer: Committer;
  store: Store;
  retention: Retention;
}

/** Seconds for which an image stays that no name points to any more. */
export const GRACE_SECONDS = 60;

/** Which version of an image: so many steps back, or a digest or its beginning. */
export type VersionChoice = { back: number } | { digest: string };

export interface Collected {
  removed: {
    digest: string;
    /** `owner/name` whose version it was last; null: not known. */
    image: string | null;
    /** Unix time in seconds when that name left it. */
    left: number | null;
    /** Bytes on disk of its layers that nothing that stays needs. */
    size: number;
  }[];
  /** Bytes on disk of all of them: what they share counts once. */
  size: number;
}

/** Versions of images: who made them, what differs, which stay. */
export class ImageHistory {
  readonly #deps: Deps;
  /** Who compares images has them compared one pair at a time: much is held in memory for it. */
  readonly #comparing = new KeyedLock();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Newest first; empty when that name never was. */
  async log(image: NamedImage): Promise<ImageStep[]> {
    const steps = await this.#steps(image);
    const kept = await this.#deps.catalogue.kept(image);
    return numberVersions(steps).map(({ step, version }) => ({
      ...{ version, digest: step.digest, at: step.at, user: step.user, action: step.action },
      ...{ detail: step.detail, added: step.added, kept: step.digest !== null && kept.has(step.digest) },
    }));
  }

  /**
   * A version of an image, also of one whose name was removed. Throws UserError NOT_FOUND when there is none such, or it is no
   * longer kept, or it is not `seen`.
   */
  async version(image: NamedImage, choice: VersionChoice, seen = true): Promise<ImageRecord> {
    const versions = seen ? versionsOf(await this.#steps(image)) : [];
    const digest = chooseVersion(image, versions, choice);
    const record = await this.#deps.catalogue.digest(digest);
    if (!record) throw notKept(image, digest);
    return { ...image, ...record };
  }

  /** The version before `record`, one of the same image. Throws UserError NOT_FOUND as `version`. */
  async before(record: ImageRecord): Promise<ImageRecord> {
    const versions = versionsOf(await this.#steps(record));
    return this.version(record, { back: versions.indexOf(record.digest) + 1 });
  }

  /** Runs `use` while these images are kept, named or not. Throws UserError NOT_FOUND when one is no longer there. */
  async whileKept<T>(images: readonly ImageRecord[], use: () => Promise<T>): Promise<T> {
    const { catalogue, committer } = this.#deps;
    const holds = await Promise.all(images.map(({ digest, layers }) => committer.hold(digest, layers)));
    try {
      for (const image of images) {
        if (!(await catalogue.digest(image.digest))) throw notKept(image, image.digest);
      }
      return await use();
    } finally {
      for (const hold of holds) hold.release();
    }
  }

  /** What differs, sorted by path; with `contents`, also the lines of text files. `paths` are absolute; none: all. */
  diff(
    from: ImageRecord,
    to: ImageRecord,
    {
      user,
      paths,
      contents,
      signal,
    }: { user: string; paths: readonly string[]; contents: boolean; signal?: AbortSignal | undefined },
  ): AsyncGenerator<Progress, ImageChange[]> {
    return withReports((tell) => {
      // Nothing is lost when nobody waits for it any more.
      const report: Report = (...step) => {
        signal?.throwIfAborted();
        tell(...step);
      };
      return this.#comparing.hold(user, () => {
        signal?.throwIfAborted();
        return this.whileKept([from, to], () =>
          this.#compare(from, to, paths.map(posix.normalize), contents, report),
        );
      });
    });
  }

  /** Moves a name to the version before the one that it points to, or was removed from. */
  async undo(
    user: string,
    image: NamedImage,
  ): Promise<{ image: ImageRecord; previous: string | null; undone: ImageStep }> {
    const { catalogue } = this.#deps;
    const current = (await catalogue.find(image))?.digest ?? null;
    // A rename is no change of the image.
    const steps = await this.log(image);
    const undone = steps.find((step, at) => step.digest !== steps[at + 1]?.digest);
    if (!undone) throw noVersion(image, 'There is no step to undo.');
    if (steps[0]?.digest !== current) throw movedMeanwhile(image);
    const target = await this.version(image, { back: current === null ? 0 : 1 });
    const detail = [undone.action, undone.detail].filter(Boolean).join(' ');
    await this.whileKept([target], () =>
      catalogue.back(image, target, current, { user, action: 'undo', detail }),
    );
    return { image: target, previous: current, undone };
  }

  /** What `prune` would remove now. */
  async needless(giveUp?: NamedImage, grace = GRACE_SECONDS): Promise<Collected> {
    const { needless, needed } = await this.#sort({ giveUp, grace });
    return (await this.#weigh(needed))(needless);
  }

  /**
   * Removes what history does not keep, and what else nobody needs; with `giveUp`, also all versions of that image that history
   * alone keeps. Answers what was removed.
   */
  prune(giveUp?: NamedImage, grace = GRACE_SECONDS): AsyncGenerator<Progress, Collected> {
    return withReports(async (report) => {
      report('Removing versions that are not kept');
      const weigh = await this.#weigh((await this.#sort({ giveUp, grace })).needed);
      return weigh(await this.#deps.committer.collect(new Set(), { giveUp, grace }));
    });
  }

  #sort(keeping: Omit<Keeping, 'retention'>): ReturnType<Catalogue['needless']> {
    const { catalogue, committer, retention } = this.#deps;
    return catalogue.needless(committer.held, { ...keeping, retention });
  }

  get retention(): Retention {
    return this.#deps.retention;
  }

  /** What is known of the layers of an image, top first, and whether another name's image has them too. */
  async layers(image: ImageRecord): Promise<(LayerRecord & { shared: boolean })[]> {
    const { catalogue } = this.#deps;
    const [known, shared] = await Promise.all([
      catalogue.layers(image.layers),
      catalogue.layersOfOthers(image),
    ]);
    return image.layers.toReversed().map((diffId) => ({
      ...(known.get(diffId) ?? { diffId, size: null, volume: null, made: null }),
      shared: shared.has(diffId),
    }));
  }

  async #steps({ owner, name }: NamedImage) {
    const rows = await this.#deps.database
      .selectFrom('image_history')
      .selectAll()
      .where('owner', '=', owner)
      .where('name', '=', name)
      .orderBy('id', 'desc')
      .execute();
    return lineage(rows);
  }

  async #compare(
    from: ImageRecord,
    to: ImageRecord,
    paths: readonly string[],
    contents: boolean,
    report: Report,
  ): Promise<ImageChange[]> {
    const { store } = this.#deps;
    if (from.digest === to.digest) return [];
    report('Comparing the layers that differ');
    const present = await store.layers();
    const folders = differingLayers(from.layers, to.layers).map((diffId) => {
      const layer = present.get(diffId);
      if (!layer) throw new Error(`layer ${diffId} is not in the store`);
      return layer.folder;
    });
    return store.withMounted(from.digest, (before) =>
      store.withMounted(to.digest, async (after) => {
        const changes = await compareTrees({ layers: folders, before, after, paths });
        if (!contents) return changes.map((change) => ({ ...change.facts, lines: null, patch: null }));
        return describeContents(changes, { before, after }, report);
      }),
    );
  }

  /** Tells what the removal of images frees, while these stay. What it needs for that is read now. */
  async #weigh(staying: readonly DigestRecord[]): Promise<(gone: readonly DigestRecord[]) => Collected> {
    const { database, catalogue } = this.#deps;
    const [layers, steps] = await Promise.all([
      catalogue.layers(),
      database.selectFrom('image_history').selectAll().orderBy('id').execute(),
    ]);
    const left = new Map(steps.map((step) => [step.previous, step]));
    const stay = new Set(staying.flatMap((record) => record.layers));
    const weight = (diffIds: readonly string[]) =>
      [...new Set(diffIds).difference(stay)].reduce((sum, id) => sum + diskSize(layers.get(id)), 0);
    return (gone) => ({
      removed: gone.map(({ digest, layers: diffIds }) => {
        const step = left.get(digest);
        const image = step ? `${step.owner}/${step.name.split(DISPLACED)[0]}` : null;
        return { digest, image, left: step?.at ?? null, size: weight(diffIds) };
      }),
      size: weight(gone.flatMap((record) => record.layers)),
    });
  }
}

/** Bytes on disk: the layer as the server keeps it, and as nodes mount it. */
export function diskSize(layer: Pick<LayerRecord, 'size' | 'volume'> | undefined): number {
  return (layer?.size ?? 0) + (layer?.volume ?? 0);
}

/** Diff IDs of the layers above those that two images have in common. */
export function differingLayers(a: readonly string[], b: readonly string[]): string[] {
  let common = 0;
  while (common < a.length && a[common] === b[common]) common += 1;
  return [...new Set([...a.slice(common), ...b.slice(common)])];
}

function chooseVersion(image: NamedImage, versions: readonly string[], choice: VersionChoice): string {
  if (versions.length === 0) throw noVersion(image, 'There never was an image of that name.');
  if ('back' in choice) {
    const digest = versions[choice.back];
    if (digest !== undefined) return digest;
    const count = versions.length;
    throw noVersion(
      image,
      `It has ${count === 1 ? 'one version' : `${count} versions`}: @{0}${count === 1 ? '' : ` to @{${count - 1}}`}.`,
    );
  }
  const fitting = [...new Set(versions.filter((digest) => digest.startsWith(choice.digest)))];
  const [only] = fitting;
  if (only === undefined) throw noVersion(image, `None begins with ${choice.digest}.`);
  if (fitting.length > 1) throw noVersion(image, `Several begin with ${choice.digest}.`);
  return only;
}

function noVersion({ owner, name }: NamedImage, reason: string): UserError {
  return new UserError(
    'NOT_FOUND',
    `There is no such version of image "${owner}/${name}". ${reason}`,
    `See its versions with: walt image log ${owner}/${name}`,
  );
}

function notKept({ owner, name }: NamedImage, digest: string): UserError {
  return new UserError(
    'NOT_FOUND',
    `Version ${shortDigest(digest)} of image "${owner}/${name}" is no longer kept.`,
    `See which ones are, with: walt image log ${owner}/${name}`,
  );
}
