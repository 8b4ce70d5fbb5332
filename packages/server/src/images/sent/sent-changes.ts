import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { LostChange, NamedImage, Progress } from '@walt/contract';
import { type Paths, type RoomGuard, UserError } from '../../platform/index.ts';
import { textOf, withTree } from '../../trees/index.ts';
import type { Catalogue, Expected } from '../catalogue/index.ts';
import { explainDiskFull } from '../disk-full.ts';
import { addLayer, type LayerParts, refusalOf, requireNamesForLayer } from '../layers/index.ts';
import { type Report, withReports } from '../progress.ts';
import { judge, pointOrKeep, type Verdict } from '../saves/index.ts';
import type { DigestRecord, ImageRecord } from '../types.ts';
import { isNotOfImage, type NotOfImage, readList, type SentChange, withoutLeftOut } from './left-out.ts';
import { entriesOf } from './sent-entries.ts';
import { sentLayer } from './sent-layer.ts';
import { readSentTree, type SentTree } from './sent-tree.ts';

export interface SentParts extends LayerParts {
  paths: Paths;
  catalogue: Catalogue;
  room: RoomGuard;
}

export interface Sending {
  /** The image that the machine runs. */
  base: DigestRecord;
  /** What lies there beside it. */
  platform: NotOfImage;
  /** Called when its turn has come. */
  tar: () => Readable;
  /** False: it is only told what changed. */
  keep: boolean;
  /** Bytes of all files. */
  limit: number;
}

const SAFE = 'No image was changed.';

/** What was changed where an image runs. While it is not disposed, it can be saved, and the image below stays. */
export class SentChanges implements AsyncDisposable {
  /** Sorted by path. */
  readonly changes: readonly SentChange[];
  /** What of it no image can hold. */
  readonly lost: readonly LostChange[];
  readonly #parts: SentParts;
  readonly #base: DigestRecord;
  readonly #tree: SentTree;
  readonly #verdict: Verdict;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: SentParts,
    base: DigestRecord,
    found: Found & { tree: SentTree },
    stack: AsyncDisposableStack,
  ) {
    this.#parts = parts;
    this.#base = base;
    this.#tree = found.tree;
    this.#verdict = found.verdict;
    this.changes = found.changes;
    this.lost = found.lost;
    this.#stack = stack;
  }

  /**
   * Takes all that is sent, and compares it. Throws UserError INVALID for what cannot be what was changed, or is too much,
   * UNAVAILABLE when the disk is full.
   */
  static async receive(
    parts: SentParts,
    { base, platform, tar, keep, limit }: Sending,
  ): Promise<SentChanges> {
    const { store, committer, paths, room } = parts;
    await room.require();
    const sent = tar();
    using _guard = room.watch(() => sent.destroy(room.failure(SAFE)));
    await using stack = new AsyncDisposableStack();
    const hold = await committer.hold(base.digest, base.layers);
    stack.defer(() => hold.release());
    let contents: FileHandle | undefined;
    if (keep) {
      const folder = await store.makeTemporary();
      stack.use(folder);
      contents = await open(join(folder.path, 'contents'), 'wx+');
      stack.use(contents);
    }
    const found = await explainDiskFull(paths.state, SAFE, () =>
      store.withMounted(base.digest, (root) =>
        withTree(root, async (image) => {
          const tree = await readSentTree(sent, { image, contents, limit });
          const top = tree.find('');
          if (!top) throw new TypeError('a tree has a root');
          const { root: entry, devices } = await entriesOf(top, root);
          return { tree, ...compare(entry, devices, await readList(image), platform) };
        }),
      ),
    );
    return new SentChanges(parts, base, found, stack.move());
  }

  /** Why nothing of it can be saved before something is done on the machine; undefined: it can. */
  get refusal(): string | undefined {
    const { layer, refused } = this.#verdict;
    const [moved] = layer.moved;
    if (moved !== undefined)
      return `${JSON.stringify(textOf(moved))} was moved, and the node's kernel keeps where it came from instead of what is in it.`;
    if (layer.partial) return "The node's kernel keeps parts of changed files where nobody can send them.";
    return refusalOf(refused);
  }

  /**
   * Makes an image of it, and points `target` there, or, where that does not point to what is expected, a name of its own, which
   * UserError CONFLICT tells. Throws INVALID when nothing is to be saved. A crash leaves all images as they were.
   * It is disposed of at the end, also when nobody waits for that.
   */
  save(task: {
    user: string;
    target: NamedImage;
    expected: Expected;
    detail: string;
    /** What the machine boots. */
    from: NamedImage;
  }): AsyncGenerator<Progress, ImageRecord> {
    return withReports(async (report) => {
      await using _taken = this.#stack.move();
      return await this.#save(task, report);
    });
  }

  async #save(
    { user, target, expected, detail, from }: Parameters<SentChanges['save']>[0],
    report: Report,
  ): Promise<ImageRecord> {
    const { paths, catalogue } = this.#parts;
    const { layer, refused } = this.#verdict;
    requireNamesForLayer(refused, 'Rename or remove it on the node, then save again.');
    if (this.refusal !== undefined) {
      throw new UserError(
        'INVALID',
        this.refusal,
        'Copy it on the node (cp -a), remove the first, then save again.',
      );
    }
    if (this.changes.every(({ leftOut }) => leftOut !== null)) {
      throw new UserError(
        'INVALID',
        'Nothing was changed that could be saved.',
        'See it with: walt node verify',
      );
    }
    await catalogue.requireSpace(target.owner);
    const move = { user, action: 'save', detail, from: [from] } as const;
    let elsewhere: UserError | undefined;
    const point = async (record: DigestRecord) => {
      elsewhere = await pointOrKeep(catalogue, target, record, expected, move);
    };
    const made = await explainDiskFull(paths.state, SAFE, () =>
      addLayer(this.#parts, {
        ...{ base: this.#base, mode: 'add', createdBy: 'walt node save', report, point },
        tar: sentLayer(this.#tree, layer),
      }),
    );
    if (elsewhere) throw elsewhere;
    return { ...target, ...(made ?? this.#base) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

interface Found {
  changes: SentChange[];
  lost: LostChange[];
  /** Of what is saved. */
  verdict: Verdict;
}

function compare(
  root: Parameters<typeof withoutLeftOut>[0],
  devices: readonly string[],
  list: Parameters<typeof withoutLeftOut>[1],
  platform: NotOfImage,
): Found {
  const all = judge([root]);
  const verdict = judge([withoutLeftOut(root, list, platform)]);
  const saved = new Set(verdict.changes.map(({ kind, path }) => kind + path));
  const changes = all.changes.map((change): SentChange => {
    if (saved.has(change.kind + change.path)) return { ...change, leftOut: null };
    return { ...change, leftOut: isNotOfImage(change.path, platform) ? 'platform' : 'list' };
  });
  const lost = [
    ...verdict.lost,
    ...devices.map((path) => ({ path, why: 'devices are made by the kernel of each node' })),
  ];
  return {
    ...{ changes, verdict },
    lost: lost
      .map(({ path, why }) => ({ path: textOf(path), why }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}
