import { fullName, type imageHistoryCalls, parseImageReference } from '@walt/contract';
import { diskSize } from '../../images/index.ts';
import { UserError } from '../../platform/index.ts';
import type { CallsOf, ImageTarget, Services } from '../services.ts';
import { keptByHistory, requireImageOwner } from './image-calls.ts';
import { findVersion, findVersionBefore } from './image-version.ts';

/** The contract's calls about versions of images. Everybody may see and compare every image; what goes back is one's own. */
export function historyCalls({
  images,
  nodes,
}: Pick<Services, 'images' | 'nodes'>): CallsOf<typeof imageHistoryCalls> {
  const { history } = images;
  return {
    details: async (caller, input) => {
      const { owner, name } = parseImageReference(input.image, caller.user);
      const image = await images.get(owner, name);
      const [layers, steps, outdated] = await Promise.all([
        history.layers(image),
        history.log(image),
        nodes.outdated(fullName(image), image.digest),
      ]);
      const sum = (some: typeof layers) => some.reduce((bytes, layer) => bytes + diskSize(layer), 0);
      const older = steps.filter((step) => step.kept && step.digest !== image.digest);
      return {
        stack: layers.map(({ diffId, size, volume, made, shared }) => ({
          ...{ digest: diffId, size, volume, made, shared },
        })),
        ...{ disk: sum(layers), shared: sum(layers.filter(({ shared }) => shared)) },
        ...{ versions: new Set(older.map(({ digest }) => digest)).size, outdated: [...outdated] },
      };
    },

    log: async (caller, input) => {
      const image = parseImageReference(input.image, caller.user);
      const steps = await history.log(image);
      // It tells what is near that name.
      if (steps.length === 0) await images.get(image.owner, image.name);
      return steps;
    },

    diff: async (caller, { image, other, paths, contents }, signal) => {
      const climbing = paths.find((path) => path.split('/').includes('..'));
      if (climbing !== undefined)
        throw new UserError('INVALID', `${climbing} has ".." in it.`, 'Name the path without it.');
      const [older, newer] =
        other === undefined
          ? [
              await findVersionBefore(images, image, caller.user),
              await findVersion(images, image, caller.user),
            ]
          : [await findVersion(images, image, caller.user), await findVersion(images, other, caller.user)];
      const comparing = history.diff(older, newer, { paths, contents, signal });
      return (async function* () {
        const changes = yield* comparing;
        const [a, b] = [older, newer].map((one) => ({ image: fullName(one), digest: one.digest }));
        if (!a || !b) throw new Error('two versions were compared');
        yield { type: 'result' as const, value: { from: a, to: b, changes } };
      })();
    },

    undo: async (caller, input) => {
      const target = parseImageReference(input.image, caller.user);
      requireImageOwner(caller, target, 'change');
      if ((await history.log(target)).length === 0) await images.get(target.owner, target.name);
      const { image, previous, undone } = await history.undo(caller.user, target);
      const { action, user, at, detail } = undone;
      return {
        ...{ image: fullName(image), digest: image.digest, previous, undone: { action, user, at, detail } },
        nodes: [...(await nodes.outdated(fullName(image), image.digest))],
      };
    },

    prune: async (caller, input) => {
      const { versions: keepVersions, days: keepDays } = history.retention;
      const giveUp = input.image === undefined ? undefined : parseImageReference(input.image, caller.user);
      if (giveUp) {
        requireImageOwner(caller, giveUp, 'give up versions of');
        if ((await history.log(giveUp)).length === 0) await images.get(giveUp.owner, giveUp.name);
        if (!input.dryRun && !input.yes) await confirmForGood(history, giveUp);
      }
      return (async function* () {
        const collected = input.dryRun ? await history.needless(giveUp) : yield* history.prune(giveUp);
        yield { type: 'result' as const, value: { ...collected, keepVersions, keepDays } };
      })();
    },
  };
}

/** Throws CONFIRM when there are versions that only the history of this image keeps. */
async function confirmForGood(history: Services['images']['history'], image: ImageTarget): Promise<void> {
  const { count, size } = await keptByHistory(history, image);
  if (count <= 0) return;
  const megabytes = Math.ceil(size / 1_000_000);
  throw new UserError(
    'CONFIRM',
    `${count} ${count === 1 ? 'version' : 'versions'} of image ${fullName(image)} would go for good (${megabytes} MB on disk).`,
    'Pass --dry-run to see which, --yes to remove them.',
  );
}
