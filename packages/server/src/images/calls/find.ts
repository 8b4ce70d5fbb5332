/**
 * The image behind what users call it, if the caller may see it. All throw UserError NOT_FOUND, in the same words for what he may not see
 * as for what is not there.
 */
import { type NamedImage, parseImageReference, parseImageVersion } from '@walt/contract';
import type { Caller } from '../../access/index.ts';
import type { VersionChoice } from '../history/index.ts';
import type { Images } from '../images.ts';
import type { ImageRecord } from '../types.ts';

/** The image that `name` or `owner/name` stands for. */
export async function findImage(images: Images, text: string, caller: Caller): Promise<ImageRecord> {
  return await images.getSeen(caller, parseImageReference(text, caller.user));
}

/** The image that `name`, `name@{2}` or `name@sha256:…` stands for. */
export async function findVersion(images: Images, text: string, caller: Caller): Promise<ImageRecord> {
  const { version, ...image } = parseImageVersion(text, caller.user);
  if (version === undefined) return await images.getSeen(caller, image);
  return await seenVersion(images, image, version, caller);
}

/** The version before that. */
export async function findVersionBefore(images: Images, text: string, caller: Caller): Promise<ImageRecord> {
  const { version = { back: 0 }, ...image } = parseImageVersion(text, caller.user);
  if ('back' in version) return await seenVersion(images, image, { back: version.back + 1 }, caller);
  return await images.history.before(await seenVersion(images, image, version, caller));
}

async function seenVersion(images: Images, image: NamedImage, choice: VersionChoice, caller: Caller) {
  const seen = await images.sharing.isSeen(caller, image);
  return await images.history.version(image, choice, seen);
}
