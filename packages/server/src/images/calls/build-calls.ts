import type { imageContract, NamedImage } from '@walt/contract';
import { type Caller, type CallsOf, demand } from '../../access/index.ts';
import type { Images } from '../images.ts';
import { describeSaved, type JobDeps } from './deps.ts';
import { findImage } from './find.ts';
import { agreedReplacement, confirmReplacement } from './replacing.ts';

/** The contract's calls about builds from a Dockerfile. What is built is the caller's own. */
export function buildCalls({ images, nodes, jobs }: JobDeps): CallsOf<(typeof imageContract)['build']> {
  return {
    open: async (caller, { name, file, dockerfile, architecture, target: stage, yes, ...how }) => {
      const target = { owner: caller.user, name };
      const sees = (image: NamedImage) => images.sharing.require(caller, image);
      const order = { user: caller.user, sees, target, architecture, stage, ...how };
      const build = await images.builds.prepare({ ...order, dockerfile: { text: dockerfile, file } });
      if (!yes && !(await isBuilt(images, target))) await confirmReplacement(images, target);
      const job = jobs.open(caller.user, async (client) => {
        const { image, changed } = await build(client);
        return { status: 0, saved: await describeSaved(nodes, image, changed) };
      });
      return { job };
    },
  };
}

/** The contract's calls about builds for other CPUs. Everybody may build with every image; saving is for its owner. */
export function crossCalls({ images, nodes, jobs }: JobDeps): CallsOf<(typeof imageContract)['cross']> {
  return {
    open: async (caller, input, signal) => {
      const { command, folder, prefix, yes } = input;
      const image = await findImage(images, input.image, caller);
      const target = input.save ? targetFor(caller, image, input.name) : undefined;
      const save = target && { target, expected: await agreedReplacement(images, image, target, yes) };
      const request = { user: caller.user, image, command, folder, prefix, save };
      const preparing = images.cross.prepare(request, signal);
      return (async function* () {
        const { run, ownLibrary } = yield* preparing;
        const job = jobs.open(caller.user, async (client) => {
          const { status, saved } = await run(client);
          return {
            status,
            ...(saved && { saved: await describeSaved(nodes, saved.image, saved.changed) }),
          };
        });
        yield { type: 'result' as const, value: { job, ownLibrary, architecture: image.architecture } };
      })();
    },
  };
}

/** True when it was a build that made the image what it is: the next one is what its user wants. */
async function isBuilt(images: Images, target: NamedImage): Promise<boolean> {
  const steps = await images.history.log(target);
  // A rename is no change of the image.
  return steps.find((step, at) => step.digest !== steps[at + 1]?.digest)?.action === 'build';
}

/** Throws FORBIDDEN for a name in another user's set. */
function targetFor(caller: Caller, image: NamedImage, name: string | undefined): NamedImage {
  if (name !== undefined) return { owner: caller.user, name };
  demand('image.change', caller, image);
  return { owner: image.owner, name: image.name };
}
