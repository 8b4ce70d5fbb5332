import {
  fullName,
  type ImageStep,
  type imageHistoryCalls,
  type NamedImage,
  parseImageReference,
} from '@walt/contract';
import { type CallsOf, demand, guestNames } from '../../access/index.ts';
import { UserError } from '../../platform/index.ts';
import { diskSize, type ImageHistory } from '../history/index.ts';
import type { Images } from '../images.ts';
import type { CallDeps } from './deps.ts';
import { findImage, findVersion, findVersionBefore } from './find.ts';

/** The contract's calls about versions of images. Everybody may see and compare every image; what goes back is one's own. */
export function historyCalls({ images, nodes }: CallDeps): CallsOf<typeof imageHistoryCalls> {
  const { history } = images;
  return {
    details: async (caller, input) => {
      const image = await findImage(images, input.image, caller);
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
        sharedWith: guestNames((await images.sharing.of(image)) ?? []),
        ...{ versions: new Set(older.map(({ digest }) => digest)).size, outdated: [...outdated] },
      };
    },

    log: async (caller, input) => {
      const image = parseImageReference(input.image, caller.user);
      if (!(await images.sharing.isSeen(caller, image))) await images.getSeen(caller, image);
      return await stepsOf(images, image);
    },

    diff: async (caller, { image, other, paths, contents }, signal) => {
      const climbing = paths.find((path) => path.split('/').includes('..'));
      if (climbing !== undefined)
        throw new UserError('INVALID', `${climbing} has ".." in it.`, 'Name the path without it.');
      const [older, newer] =
        other === undefined
          ? [await findVersionBefore(images, image, caller), await findVersion(images, image, caller)]
          : [await findVersion(images, image, caller), await findVersion(images, other, caller)];
      const comparing = history.diff(older, newer, { user: caller.user, paths, contents, signal });
      return (async function* () {
        const changes = yield* comparing;
        const [a, b] = [older, newer].map((one) => ({ image: fullName(one), digest: one.digest }));
        if (!a || !b) throw new Error('two versions were compared');
        yield { type: 'result' as const, value: { from: a, to: b, changes } };
      })();
    },

    undo: async (caller, input) => {
      const target = parseImageReference(input.image, caller.user);
      demand('image.change', caller, target);
      await stepsOf(images, target);
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
        demand('image.giveUp', caller, giveUp);
        await stepsOf(images, giveUp);
        if (!input.dryRun && !input.yes) {
          demand('image.forget', caller, { ...giveUp, ...(await keptByHistory(history, giveUp)) });
        }
      }
      return (async function* () {
        const collected = input.dryRun ? await history.needless(giveUp) : yield* history.prune(giveUp);
        yield { type: 'result' as const, value: { ...collected, keepVersions, keepDays } };
      })();
    },
  };
}

/** The history of a name that is or was. Throws UserError NOT_FOUND, with near names in the hint. */
async function stepsOf(images: Images, image: NamedImage): Promise<ImageStep[]> {
  const steps = await images.history.log(image);
  if (steps.length === 0) await images.get(image.owner, image.name);
  return steps;
}

/** Versions that only the history of this image keeps, and their bytes on disk. */
export async function keptByHistory(
  history: ImageHistory,
  image: NamedImage,
): Promise<{ count: number; size: number }> {
  const [all, others] = await Promise.all([history.needless(image), history.needless()]);
  return { count: all.removed.length - others.removed.length, size: all.size - others.size };
}
