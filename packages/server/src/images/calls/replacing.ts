import { fullName, type NamedImage } from '@walt/contract';
import { refusal } from '../../access/index.ts';
import type { Expected } from '../catalogue/index.ts';
import type { Images } from '../images.ts';
import type { ImageRecord } from '../types.ts';

/**
 * What the target must still point to when the result of some work on `image` is saved there: what it points to now, which is
 * what the user saw or, with `yes`, agreed to replace. Throws CONFIRM when it is another image.
 */
export async function agreedReplacement(
  images: Images,
  image: Pick<ImageRecord, 'owner' | 'name' | 'digest'>,
  target: NamedImage,
  yes: boolean,
): Promise<Expected> {
  if (fullName(target) === fullName(image)) return { digest: image.digest };
  return confirmReplacement(images, target, yes);
}

/** Answers what the target points to now. Throws CONFIRM when it exists, unless `yes`. */
export async function confirmReplacement(images: Images, target: NamedImage, yes = false): Promise<Expected> {
  const current = await images.find(target.owner, target.name);
  if (!current) return 'absent';
  if (yes) return { digest: current.digest };
  throw refusal('image.replace', target);
}
