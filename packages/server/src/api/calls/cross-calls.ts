import { type imageContract, parseImageReference } from '@walt/contract';
import type { Caller } from '../../access/index.ts';
import type { CallsOf, ImageTarget, Services } from '../services.ts';
import { agreedReplacement, requireImageOwner } from './image-calls.ts';

/** The contract's calls about builds for other CPUs. Everybody may build with every image; saving is for its owner. */
export function crossCalls({ images }: Pick<Services, 'images'>): CallsOf<(typeof imageContract)['cross']> {
  return {
    prepare: async (caller, input, signal) => {
      const { command, folder, prefix, yes } = input;
      const { owner, name } = parseImageReference(input.image, caller.user);
      const image = await images.get(owner, name);
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

/** Throws FORBIDDEN for a name in another user's set. */
function targetFor(caller: Caller, image: ImageTarget, name: string | undefined): ImageTarget {
  if (name !== undefined) return { owner: caller.user, name };
  requireImageOwner(caller, image, 'change');
  return { owner: image.owner, name: image.name };
}
