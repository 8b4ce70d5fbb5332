import {
  fullName,
  type Image,
  type imageContract,
  type imageHistoryCalls,
  type imageRegistryCalls,
  parseImageReference,
  type ShellSession,
  withoutTag,
} from '@walt/contract';
import type { Caller } from '../../access/index.ts';
import { UserError } from '../../platform/index.ts';
import type { CallsOf, Expected, ImageRecord, ImageTarget, Services, SessionRecord } from '../services.ts';
import { findVersion } from './image-version.ts';

type Deps = Pick<Services, 'images' | 'nodes'>;

/** Throws FORBIDDEN unless `caller` may change what `owner` owns. Everybody may see and duplicate every image. */
export function requireImageOwner(caller: Caller, image: ImageTarget, deed: string): void {
  if (caller.admin || caller.user === image.owner) return;
  throw new UserError(
    'FORBIDDEN',
    `Image ${fullName(image)} belongs to ${image.owner}: you cannot ${deed} it.`,
    `Make a copy of your own: walt image duplicate ${fullName(image)} ${withoutTag(image.name)}-copy`,
  );
}

/** The contract's image calls but those of `registry-calls.ts`, `history-calls.ts`, `cross-calls.ts` and `build-calls.ts`, with the rules of who may do what. */
export function imageCalls({
  images,
  nodes,
}: Deps): Omit<
  CallsOf<typeof imageContract>,
  keyof typeof imageRegistryCalls | keyof typeof imageHistoryCalls | 'cross' | 'build'
> {
  const find = async (caller: Caller, reference: string) => {
    const { owner, name } = parseImageReference(reference, caller.user);
    return await images.get(owner, name);
  };
  const present = async (records: readonly ImageRecord[]): Promise<Image[]> => {
    const [users, open] = await Promise.all([nodes.nodesByImage(), images.shells.images()]);
    return records.map((record) => describeImage(record, users.get(fullName(record)) ?? [], open));
  };
  const presentOne = async (record: ImageRecord): Promise<Image> => {
    const [image] = await present([record]);
    if (image === undefined) throw new Error('no image was described');
    return image;
  };
  const session = async (caller: Caller, id: string): Promise<SessionRecord> => {
    const found = await images.shells.get(id);
    requireSessionUser(caller, found);
    return found;
  };

  return {
    list: async (caller, { all }) => await present(await images.list(all ? undefined : caller.user)),
    get: async (caller, input) => await presentOne(await find(caller, input.image)),

    duplicate: async (caller, { image, newName, yes }) => {
      const source = await findVersion(images, image, caller.user);
      const target = { owner: caller.user, name: newName };
      if (!yes) await confirmReplacement(images, target);
      return await presentOne(await images.duplicate(caller.user, source, target, yes));
    },

    rename: async (caller, { image, newName }) => {
      const record = await find(caller, image);
      requireImageOwner(caller, record, 'rename');
      return await presentOne(await images.rename(caller.user, record, newName));
    },

    remove: async (caller, { image, yes }) => {
      const record = await find(caller, image);
      requireImageOwner(caller, record, 'remove');
      const { nodes: booting, session: open } = await presentOne(record);
      if (booting.length > 0) {
        throw new UserError(
          'CONFLICT',
          `Image ${fullName(record)} is what ${named(booting)} boot${booting.length === 1 ? 's' : ''}.`,
          'Make them boot another image first (`walt node boot`), or give them back (`walt node release`).',
        );
      }
      if (open) {
        throw new UserError(
          'CONFLICT',
          `A shell session is open on image ${fullName(record)}.`,
          `Save or discard it first: walt image shell ${fullName(record)}`,
        );
      }
      if (!yes && record.owner !== caller.user) {
        throw new UserError(
          'CONFIRM',
          `Image ${fullName(record)} belongs to ${record.owner}.`,
          'Pass --yes to remove it all the same.',
        );
      }
      await images.remove(caller.user, record);
      const { size } = await keptByHistory(images.history, record);
      return { removed: fullName(record), keepDays: images.history.retention.days, size };
    },

    squash: async (caller, { image, newName, yes }, signal) => {
      const record = await find(caller, image);
      const target = newName === undefined ? record : { owner: caller.user, name: newName };
      requireImageOwner(caller, target, 'change');
      const expected = await agreedReplacement(images, record, target, yes);
      const squashing = images.squash(caller.user, record, target, expected, signal);
      return (async function* () {
        const { image: made, changed } = yield* squashing;
        const outdated = await nodes.outdated(fullName(made), made.digest);
        const value = { image: fullName(made), digest: made.digest, changed, nodes: [...outdated] };
        yield { type: 'result' as const, value };
      })();
    },

    makeDefault: async (caller, { architecture, renew }, signal) => {
      const making = images.makeDefault(caller.user, architecture, renew, signal);
      return (async function* () {
        const { image, made } = yield* making;
        yield { type: 'result' as const, value: { image: fullName(image), digest: image.digest, made } };
      })();
    },

    shell: {
      list: async (caller, { image }) => {
        const target = image === undefined ? undefined : parseImageReference(image, caller.user);
        const sessions = await images.shells.list();
        return sessions
          .filter((one) => one.user === caller.user && (!target || one.image === fullName(target)))
          .map(describeSession);
      },

      open: async (caller, { image }) => {
        const record = await find(caller, image);
        requireImageOwner(caller, record, 'change');
        return describeSession(await images.shells.open(caller.user, record));
      },

      changes: async (caller, input) => {
        const { id, image } = await session(caller, input.session);
        const [changes, users] = await Promise.all([images.shells.changes(id), nodes.nodesByImage()]);
        return { ...changes, nodes: [...(users.get(image) ?? [])] };
      },

      save: async (caller, { session: id, name, yes }) => {
        const { image } = await session(caller, id);
        const target =
          name === undefined ? parseImageReference(image, caller.user) : { owner: caller.user, name };
        requireImageOwner(caller, target, 'change');
        const replaced =
          fullName(target) === image ? undefined : await confirmReplacement(images, target, yes);
        const saving = images.shells.save(caller.user, id, target, replaced);
        return (async function* () {
          const { image: saved, changed } = yield* saving;
          const outdated = await nodes.outdated(fullName(saved), saved.digest);
          const value = { image: fullName(saved), digest: saved.digest, changed, nodes: [...outdated] };
          yield { type: 'result' as const, value };
        })();
      },

      discard: async (caller, input) => {
        const { id } = await session(caller, input.session);
        await images.shells.discard(id);
        return { discarded: id };
      },
    },
  };
}

/** Throws FORBIDDEN unless it is the caller's own session. */
export function requireSessionUser(caller: Caller, session: SessionRecord): void {
  if (caller.admin || caller.user === session.user) return;
  throw new UserError(
    'FORBIDDEN',
    `Session ${session.id} on image ${session.image} was opened by ${session.user}.`,
    `Ask ${session.user} to save or discard it.`,
  );
}

/**
 * What the target must still point to when the result of some work on `image` is saved there: what it points to now, which is
 * what the user saw or, with `yes`, agreed to replace. Throws CONFIRM when it is another image.
 */
export async function agreedReplacement(
  images: Services['images'],
  image: Pick<ImageRecord, 'owner' | 'name' | 'digest'>,
  target: ImageTarget,
  yes: boolean,
): Promise<Expected> {
  if (fullName(target) === fullName(image)) return { digest: image.digest };
  return confirmReplacement(images, target, yes);
}

/** Versions that only the history of this image keeps, and their bytes on disk. */
export async function keptByHistory(
  history: Services['images']['history'],
  image: ImageTarget,
): Promise<{ count: number; size: number }> {
  const [all, others] = await Promise.all([history.needless(image), history.needless()]);
  return { count: all.removed.length - others.removed.length, size: all.size - others.size };
}

/** Answers what the target points to now. Throws CONFIRM when it exists, unless `yes`. */
export async function confirmReplacement(
  images: Services['images'],
  target: ImageTarget,
  yes = false,
): Promise<Expected> {
  const current = await images.find(target.owner, target.name);
  if (!current) return 'absent';
  if (yes) return { digest: current.digest };
  throw new UserError(
    'CONFIRM',
    `You have an image ${target.name} already; it would be replaced.`,
    'Choose another name, or pass --yes to replace it.',
  );
}

function describeImage(record: ImageRecord, nodes: readonly string[], open: ReadonlySet<string>): Image {
  return {
    ...record,
    fullName: fullName(record),
    layers: record.layers.length,
    models: [...record.models],
    lends: [...record.lends],
    nodes: [...nodes],
    session: open.has(fullName(record)),
  };
}

function describeSession({ user: _, ...session }: SessionRecord): ShellSession {
  return session;
}

/** `vnode1`, `vnode1 and vnode2`, `vnode1, vnode2 and 7 more`. */
function named(names: readonly string[]): string {
  if (names.length <= 2) return names.join(' and ');
  return `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`;
}
