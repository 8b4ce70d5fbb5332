/** Saves what a container changed, also when somebody moved the name meanwhile. */
import { digestHex, type LostChange, type NamedImage, withoutTag } from '@walt/contract';
import { diskUse, isUserError, type Paths, type RoomGuard, UserError } from '../../platform/index.ts';
import type { Catalogue, Expected, Move } from '../catalogue/index.ts';
import type { ContainerState, Containers } from '../containers/index.ts';
import { INIT_START } from '../containers/index.ts';
import { explainDiskFull } from '../disk-full.ts';
import { addLayer, type LayerParts, requireNamesForLayer } from '../layers/index.ts';
import type { Report } from '../progress.ts';
import type { DigestRecord } from '../types.ts';
import { changedLayer, needsMountedTree } from './changed-layer.ts';
import type { Verdict } from './changes.ts';
import { lostChanges } from './lost-changes.ts';
import { inspectChanges } from './upper-folder.ts';

export interface SaveParts extends LayerParts {
  paths: Paths;
  catalogue: Catalogue;
  containers: Containers;
  room: RoomGuard;
}

export interface SaveTask {
  container: string;
  /** Digest of the image that the container was made of. */
  base: string;
  target: NamedImage;
  expected: Expected;
  move: Move;
  report: Report;
}

/** Digits of the digest in a name of ours. */
const DIGITS = 8;

const SAFE = 'The image is as it was, and nothing of the change is lost.';

/** What a container has changed of its image `base`. Throws UserError NOT_FOUND when the container is gone. */
export async function inspectContainer(
  { containers, store }: Pick<SaveParts, 'containers' | 'store'>,
  container: string,
  base: string,
): Promise<{ state: ContainerState; verdict: Verdict }> {
  const state = await containers.inspect(container);
  if (!state) {
    throw new UserError('NOT_FOUND', 'The container of this session is gone.', 'Discard the session.');
  }
  const verdict = await store.withMounted(base, (root) =>
    inspectChanges(state.folders.upper, root, {
      ...{ init: state.entrypoint === INIT_START, live: state.status === 'running' },
    }),
  );
  return { state, verdict };
}

export interface Saved {
  /** Undefined when nothing has changed. */
  record: DigestRecord | undefined;
  lost: LostChange[];
}

/**
 * Makes an image of `base` and what the stopped container changed, and points a name to it, unless nothing has
 * changed. Until `point` has ended, nothing refers to the new image: a crash leaves the container as it was, and so does all else.
 * Throws UserError INVALID when it has files that no layer can hold.
 */
export async function commitChange(
  parts: SaveParts,
  task: {
    container: string;
    base: string;
    createdBy: string;
    report: Report;
    point: (record: DigestRecord) => Promise<void>;
  },
): Promise<Saved> {
  const { container, base, createdBy, report, point } = task;
  const { containers, catalogue, paths, room } = parts;
  return explainDiskFull(paths.state, SAFE, async () => {
    const { state, verdict } = await inspectContainer(parts, container, base);
    requireNamesForLayer(verdict.refused, 'Rename or remove it, then save again.');
    const lost = await lostChanges(state, verdict);
    if (verdict.changes.length === 0) return { record: undefined, lost };
    // Its tar, and what is unpacked of it. How large its volume will be, nobody knows before.
    await room.requireForSave(SAFE, 2 * (await diskUse([state.folders.upper])));
    const record = await catalogue.digest(base);
    if (!record) throw new TypeError(`${base} is not catalogued, though ${container} is made of it`);
    const add = (tree: string) =>
      addLayer(parts, {
        ...{ base: record, mode: 'add', createdBy, tar: changedLayer(tree, verdict.layer), report, point },
      });
    if (!needsMountedTree(verdict.layer)) return { record: await add(state.folders.upper), lost };
    try {
      return { record: await add(await containers.mount(container)), lost };
    } finally {
      await containers.unmount(container);
    }
  });
}

/**
 * Points `target` to what a container changed; when nothing has changed, no name is moved. A name that does not point
 * to what is expected stays as it is, and costs nobody the result: that is kept under a name of its own, which UserError CONFLICT
 * tells.
 */
export async function saveChange(
  parts: SaveParts,
  { container, base, target, expected, move, report }: SaveTask,
): Promise<Saved> {
  let elsewhere: UserError | undefined;
  const saved = await commitChange(parts, {
    ...{ container, base, createdBy: `walt image ${move.action}`, report },
    point: async (record) => {
      elsewhere = await pointOrKeep(parts.catalogue, target, record, expected, move);
    },
  });
  if (elsewhere) throw elsewhere;
  return saved;
}

/**
 * Points `target` to what somebody worked for, or, where it does not point to what is expected, a name of its own: the answer is then
 * the UserError CONFLICT that tells it.
 */
export async function pointOrKeep(
  catalogue: Catalogue,
  target: NamedImage,
  record: DigestRecord,
  expected: Expected,
  move: Move,
): Promise<UserError | undefined> {
  try {
    await catalogue.point(target, record, expected, move);
    return undefined;
  } catch (error) {
    if (!isUserError(error) || error.code !== 'CONFLICT') throw error;
    const kept = nameOfItsOwn(target, record.digest);
    await catalogue.point(kept, record, 'absent', move);
    return keptElsewhere(error, kept, move.user);
  }
}

function keptElsewhere({ message }: UserError, { owner, name }: NamedImage, user: string): UserError {
  const called = owner === user ? name : `${owner}/${name}`;
  return new UserError(
    'CONFLICT',
    `${message} The result is kept as ${owner}/${name}.`,
    `Give it the name that you want: walt image rename ${called} NEW-NAME`,
  );
}

/** The name without its tag, cut so that it stays a name, and the beginning of the digest. */
function nameOfItsOwn({ owner, name }: NamedImage, digest: string): NamedImage {
  const base = withoutTag(name).slice(0, 50);
  return { owner, name: `${base}-${digestHex(digest).slice(0, DIGITS)}` };
}
