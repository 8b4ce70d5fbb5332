import type { imageContract } from '@walt/contract';
import type { CallsOf, ImageTarget, Services } from '../services.ts';
import { confirmReplacement } from './image-calls.ts';

/** The contract's calls about builds from a Dockerfile. What is built is the caller's own. */
export function buildCalls({ images }: Pick<Services, 'images'>): CallsOf<(typeof imageContract)['build']> {
  return {
    prepare: async (caller, { name, file, dockerfile, architecture, target: stage, yes, ...how }) => {
      const target = { owner: caller.user, name };
      const order = { user: caller.user, target, architecture, stage, ...how };
      const ticket = await images.builds.prepare({ ...order, dockerfile: { text: dockerfile, file } });
      if (!yes && !(await isBuilt(images, target))) await confirmReplacement(images, target);
      return { ticket };
    },
  };
}

/** True when it was a build that made the image what it is: the next one is what its user wants. */
async function isBuilt(images: Services['images'], target: ImageTarget): Promise<boolean> {
  const steps = await images.history.log(target);
  // A rename is no change of the image.
  return steps.find((step, at) => step.digest !== steps[at + 1]?.digest)?.action === 'build';
}
