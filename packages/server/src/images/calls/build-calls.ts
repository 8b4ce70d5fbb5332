import type { imageContract, SavedImage } from '@walt/contract';
import { type Caller, type CallsOf, demand } from '../../access/index.ts';
import type { ImageBuildClient } from '../build/index.ts';
import type { ImageName } from '../catalogue/index.ts';
import type { BuildClient } from '../cross/index.ts';
import type { Images } from '../images.ts';
import { type CallDeps, describeSaved } from './deps.ts';
import { findImage } from './find.ts';
import { agreedReplacement, confirmReplacement } from './replacing.ts';

/** Who builds, and is told what was saved as users are. */
export type Told<Client> = Omit<Client, 'saved'> & { saved(image: SavedImage): void };

/** The contract's calls about builds from a Dockerfile. What is built is the caller's own. */
export function buildCalls({ images }: CallDeps): CallsOf<(typeof imageContract)['build']> {
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

/** The contract's calls about builds for other CPUs. Everybody may build with every image; saving is for its owner. */
export function crossCalls({ images }: CallDeps): CallsOf<(typeof imageContract)['cross']> {
  return {
    prepare: async (caller, input, signal) => {
      const { command, folder, prefix, yes } = input;
      const image = await findImage(images, input.image, caller.user);
      const target = input.save ? targetFor(caller, image, input.name) : undefined;
      const save = target && { target, expected: await agreedReplacement(images, image, target, yes) };
      const request = { user: caller.user, image, command, folder, prefix, save };
      const preparing = images.cross.prepare(request, signal);
      return (async function* () {
        const value = { ...(yield* preparing), architecture: image.architecture };
        yield { type: 'result' as const, value };
      })();
    },
  };
}

/** Runs a prepared build from a Dockerfile; throws as `ImageBuilds.run`. */
export function runBuild(
  { images, nodes }: CallDeps,
  caller: Caller,
  ticket: string,
  client: Told<ImageBuildClient>,
): Promise<void> {
  return images.builds.run(caller.user, ticket, { ...client, saved: tells(client, nodes) });
}

/** Runs a prepared build for another CPU. Answers the command's exit status; throws as `CrossBuilds.run`. */
export function runCross(
  { images, nodes }: CallDeps,
  caller: Caller,
  ticket: string,
  client: Told<BuildClient>,
): Promise<number> {
  return images.cross.run(caller.user, ticket, { ...client, saved: tells(client, nodes) });
}

function tells(client: Told<unknown>, nodes: CallDeps['nodes']): BuildClient['saved'] {
  return async (image, changed) => client.saved(await describeSaved(nodes, image, changed));
}

/** True when it was a build that made the image what it is: the next one is what its user wants. */
async function isBuilt(images: Images, target: ImageName): Promise<boolean> {
  const steps = await images.history.log(target);
  // A rename is no change of the image.
  return steps.find((step, at) => step.digest !== steps[at + 1]?.digest)?.action === 'build';
}

/** Throws FORBIDDEN for a name in another user's set. */
function targetFor(caller: Caller, image: ImageName, name: string | undefined): ImageName {
  if (name !== undefined) return { owner: caller.user, name };
  demand('image.change', caller, image);
  return { owner: image.owner, name: image.name };
}
