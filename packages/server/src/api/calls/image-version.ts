/** What users call images and their versions. */
import type { ImageRecord, ImageTarget, Services } from '../services.ts';

/** `name` is the caller's own image, `owner/name` anybody's. */
export function parseImageReference(reference: string, user: string): ImageTarget {
  const slash = reference.indexOf('/');
  if (slash < 0) return { owner: user, name: reference };
  return { owner: reference.slice(0, slash), name: reference.slice(slash + 1) };
}

/** The image that `name`, `name@{2}` or `name@sha256:…` stands for. Throws NOT_FOUND. */
export async function findVersion(
  images: Services['images'],
  text: string,
  user: string,
): Promise<ImageRecord> {
  const { image, back, digest } = parseVersion(text, user);
  if (back !== undefined) return images.history.version(image, { back });
  if (digest !== undefined) return images.history.version(image, { digest });
  return images.get(image.owner, image.name);
}

/** The version before that. */
export async function findVersionBefore(
  images: Services['images'],
  text: string,
  user: string,
): Promise<ImageRecord> {
  const { image, back = 0, digest } = parseVersion(text, user);
  if (digest === undefined) return images.history.version(image, { back: back + 1 });
  return images.history.before(await images.history.version(image, { digest }));
}

function parseVersion(
  text: string,
  user: string,
): { image: ImageTarget; back: number | undefined; digest: string | undefined } {
  const [reference = '', version = ''] = text.split('@');
  const back = /^\{(\d+)\}$/.exec(version)?.[1];
  return {
    image: parseImageReference(reference, user),
    back: back === undefined ? undefined : Number(back),
    digest: version.startsWith('sha256:') ? version : undefined,
  };
}
