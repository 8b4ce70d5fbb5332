import {
  fullName,
  type Image,
  type ImageVisibility,
  type imageContract,
  type imageHistoryCalls,
  type imageRegistryCalls,
  type NamedImage,
  PLATFORM_OWNER,
} from '@walt/contract';
import { type CallsOf, demand, type GuestNames, guestNames } from '../../access/index.ts';
import { UserError } from '../../platform/index.ts';
import { visibilityOf } from '../catalogue/index.ts';
import type { ImageRecord } from '../types.ts';
import { boardFor, lackOf, notFor } from './boards.ts';
import { type CallDeps, describeSaved } from './deps.ts';
import { findImage, findVersion } from './find.ts';
import { keptByHistory } from './history-calls.ts';
import { agreedReplacement, confirmReplacement } from './replacing.ts';

type Elsewhere = keyof typeof imageRegistryCalls | keyof typeof imageHistoryCalls;

/** The contract's calls about images as they are. */
export function imageCalls({
  images,
  nodes,
  firmware,
  logins,
}: CallDeps): Omit<CallsOf<typeof imageContract>, Elsewhere | 'shell' | 'cross' | 'build' | 'run'> {
  const present = async (records: readonly ImageRecord[]): Promise<Image[]> => {
    const [users, open, shared] = await Promise.all([
      nodes.nodesByImage(),
      images.shells.images(),
      images.sharing.all(),
    ]);
    return records.map((record) => ({
      ...describeImage(record, users.get(fullName(record)) ?? [], open),
      visibility: visibilityOf(shared.get(fullName(record))),
    }));
  };
  const presentOne = async (record: ImageRecord): Promise<Image> => {
    const [image] = await present([record]);
    if (image === undefined) throw new Error('no image was described');
    return image;
  };

  return {
    list: async (caller, { all }) =>
      await present(await images.sharing.seen(caller, await images.list(all ? undefined : caller.user))),
    get: async (caller, input) => await presentOne(await findImage(images, input.image, caller)),

    duplicate: async (caller, { image, newName, yes }) => {
      const source = await findVersion(images, image, caller);
      const target = { owner: caller.user, name: newName };
      if (!yes) await confirmReplacement(images, target);
      return await presentOne(await images.duplicate(caller.user, source, target, yes));
    },

    rename: async (caller, { image, newName }) => {
      const record = await findImage(images, image, caller);
      demand('image.rename', caller, record);
      return await presentOne(await images.rename(caller.user, record, newName));
    },

    remove: async (caller, { image, yes }) => {
      const record = await findImage(images, image, caller);
      demand('image.remove', caller, record);
      requireUnused(await presentOne(record));
      demand('image.removeOfOthers', caller, record, yes);
      await images.remove(caller.user, record);
      const { size } = await keptByHistory(images.history, record);
      return { removed: fullName(record), keepDays: images.history.retention.days, size };
    },

    allow: async (caller, { image, visibility, ...names }) => {
      requireGuests(visibility, names);
      const record = await findImage(images, image, caller);
      demand('image.allow', caller, record);
      if (record.owner === PLATFORM_OWNER) throw isEverybodys(record);
      const words = visibility === 'visible' ? undefined : await logins.require(names);
      await images.sharing.set(record, words);
      return { image: fullName(record), visibility, ...guestNames(words ?? []) };
    },

    squash: async (caller, { image, newName, yes }, signal) => {
      const record = await findImage(images, image, caller);
      const target = newName === undefined ? record : { owner: caller.user, name: newName };
      demand('image.change', caller, target);
      const expected = await agreedReplacement(images, record, target, yes);
      const squashing = images.squash(caller.user, record, target, expected, signal);
      return (async function* () {
        const { image: made, changed } = yield* squashing;
        yield { type: 'result' as const, value: await describeSaved(nodes, made, changed) };
      })();
    },

    makeDefault: async (caller, { architecture, model, renew }, signal) => {
      const board = model === undefined ? undefined : boardFor(model, architecture);
      const making = images.makeDefault(caller.user, architecture ?? board?.architecture, renew, signal);
      return (async function* () {
        const { image, made } = yield* making;
        if (board && !image.models.includes(board.name)) throw notFor(image, board.name);
        const lack = board?.firmware?.start.length ? await lackOf(firmware, { renew, signal }) : null;
        const value = { image: fullName(image), digest: image.digest, made, models: [...image.models], lack };
        yield { type: 'result' as const, value };
      })();
    },
  };
}

/** Throws UserError INVALID unless logins or groups are named where an image is to be shared, and only there. */
function requireGuests(visibility: ImageVisibility, { users, groups }: GuestNames): void {
  const isNamed = users.length + groups.length > 0;
  if ((visibility === 'shared') === isNamed) return;
  throw isNamed
    ? new UserError(
        'INVALID',
        `${visibility === 'private' ? "A private image is its owner's alone" : 'Everybody sees a visible image'}: no logins and groups are named.`,
        'To let some use it, and nobody else: walt image allow IMAGE shared USER',
      )
    : new UserError(
        'INVALID',
        'An image is shared with somebody: no login and no group was named.',
        'Say with whom: walt image allow IMAGE shared USER, or --group GROUP',
      );
}

function isEverybodys(image: NamedImage): UserError {
  return new UserError(
    'INVALID',
    `${fullName(image)} is the platform's: everybody boots it.`,
    'Name an image of a user.',
  );
}

/** Throws UserError CONFLICT while nodes boot the image, or a session is open on it. */
function requireUnused({ fullName: name, nodes, session }: Image): void {
  if (nodes.length > 0) {
    throw new UserError(
      'CONFLICT',
      `Image ${name} is what ${named(nodes)} boot${nodes.length === 1 ? 's' : ''}.`,
      'Make them boot another image first (`walt node boot`), or give them back (`walt node release`).',
    );
  }
  if (session) {
    throw new UserError(
      'CONFLICT',
      `A shell session is open on image ${name}.`,
      `Save or discard it first: walt image shell ${name}`,
    );
  }
}

function describeImage(
  record: ImageRecord,
  nodes: readonly string[],
  open: ReadonlySet<string>,
): Omit<Image, 'visibility'> {
  return {
    ...record,
    fullName: fullName(record),
    layers: record.layers.length,
    realKernel: record.realKernel ?? null,
    models: [...record.models],
    lends: [...record.lends],
    nodes: [...nodes],
    session: open.has(fullName(record)),
  };
}

/** `vnode1`, `vnode1 and vnode2`, `vnode1, vnode2 and 7 more`. */
function named(names: readonly string[]): string {
  if (names.length <= 2) return names.join(' and ');
  return `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`;
}
