/** The image behind what users call a version. */
import { parseImageVersion } from '@walt/contract';
import type { ImageRecord, Services } from '../services.ts';

/** The image that `name`, `name@{2}` or `name@sha256:…` stands for. Throws NOT_FOUND. */
export async function findVersion(
  images: Services['images'],
  text: string,
  user: string,
): Promise<ImageRecord> {
  const { version, ...image } = parseImageVersion(text, user);
  if (version === undefined) return images.get(image.owner, image.name);
  return images.history.version(image, version);
}

/** The version before that. */
export async function findVersionBefore(
  images: Services['images'],
  text: string,
  user: string,
): Promise<ImageRecord> {
  const { version = { back: 0 }, ...image } = parseImageVersion(text, user);
  if ('back' in version) return images.history.version(image, { back: version.back + 1 });
  return images.history.before(await images.history.version(image, version));
}
