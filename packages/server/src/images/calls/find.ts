/** The image behind what users call it. All throw UserError NOT_FOUND. */
import { parseImageReference, parseImageVersion } from '@walt/contract';
import type { Images } from '../images.ts';
import type { ImageRecord } from '../types.ts';

/** The image that `name` or `owner/name` stands for. */
export function findImage(images: Images, text: string, user: string): Promise<ImageRecord> {
  const { owner, name } = parseImageReference(text, user);
  return images.get(owner, name);
}

/** The image that `name`, `name@{2}` or `name@sha256:…` stands for. */
export function findVersion(images: Images, text: string, user: string): Promise<ImageRecord> {
  const { version, ...image } = parseImageVersion(text, user);
  if (version === undefined) return images.get(image.owner, image.name);
  return images.history.version(image, version);
}

/** The version before that. */
export async function findVersionBefore(images: Images, text: string, user: string): Promise<ImageRecord> {
  const { version = { back: 0 }, ...image } = parseImageVersion(text, user);
  if ('back' in version) return images.history.version(image, { back: version.back + 1 });
  return images.history.before(await images.history.version(image, version));
}
