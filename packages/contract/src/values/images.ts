/** What users call images, their versions, and files in them. */
import { DEFAULT_IMAGE } from './names.ts';

const OWNER = '[A-Za-z_][A-Za-z0-9._-]{0,31}';
const NAME = '[a-z0-9][a-z0-9._-]{0,62}(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,62})?';
const REFERENCE = `(?:${OWNER}/)?${NAME}`;

/** `name` or `name:tag`: an image inside a user's own set; but see `isReservedImageName`. */
export const IMAGE_NAME = new RegExp(`^${NAME}$`);
/** `name`, or `owner/name` for someone else's image. */
export const IMAGE_REFERENCE = new RegExp(`^${REFERENCE}$`);
/** An image as it is, or an older version: `name`, `owner/name@{2}` (two steps back), `name@sha256:…` (7 digits or more). */
export const IMAGE_VERSION = new RegExp(`^${REFERENCE}(?:@\\{[0-9]{1,5}\\}|@sha256:[0-9a-f]{7,64})?$`);
/** Characters. */
export const MAX_IMAGE_REFERENCE = 200;
export const MAX_IMAGE_VERSION = 300;

export function isReservedImageName(name: string): boolean {
  return withoutTag(name) === DEFAULT_IMAGE;
}

export function isImageName(text: string): boolean {
  return IMAGE_NAME.test(text) && !isReservedImageName(text);
}

export function isImageReference(text: string): boolean {
  return text.length <= MAX_IMAGE_REFERENCE && IMAGE_REFERENCE.test(text);
}

export function isImageVersion(text: string): boolean {
  return text.length <= MAX_IMAGE_VERSION && IMAGE_VERSION.test(text);
}

/** An image, whoever asks. */
export interface NamedImage {
  owner: string;
  /** With its tag, if it has one. */
  name: string;
}

/** `owner/name`. */
export function fullName({ owner, name }: NamedImage): string {
  return `${owner}/${name}`;
}

/** The name of an image without its tag. */
export function withoutTag(name: string): string {
  return name.split(':', 1)[0] ?? name;
}

/** Reads what is an `isImageReference`: `name` is the user's own image, `owner/name` anybody's. */
export function parseImageReference(reference: string, user: string): NamedImage {
  const slash = reference.indexOf('/');
  return { owner: slash < 0 ? user : reference.slice(0, slash), name: reference.slice(slash + 1) };
}

/** So many steps back, or a digest or its beginning; undefined: as the image is. */
export type Version = { back: number } | { digest: string } | undefined;

/** Reads what is an `isImageVersion`. */
export function parseImageVersion(text: string, user: string): NamedImage & { version: Version } {
  const [reference = '', version] = text.split('@');
  return { ...parseImageReference(reference, user), version: parseVersion(version) };
}

function parseVersion(text: string | undefined): Version {
  if (text === undefined) return undefined;
  return text.startsWith('{') ? { back: Number(text.slice(1, -1)) } : { digest: text };
}

/** `HERE`, `REMOTE:THERE`: an argument of cp commands. */
export interface Location {
  /** Node or image; undefined for this machine. */
  remote: string | undefined;
  path: string;
}

/** On a node, as scp(1) reads it: a colon before any slash separates the node's name; `./a:b` is a local file. */
export function parseNodeLocation(text: string): Location {
  const colon = text.indexOf(':');
  const slash = text.indexOf('/');
  if (colon < 1 || (slash !== -1 && slash < colon)) return { remote: undefined, path: text };
  return { remote: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** In an image, as `owner/name:tag:/path`: a path there is absolute, so the first `:/` is where it begins. */
export function parseImageLocation(text: string): Location {
  const colon = text.indexOf(':/');
  if (colon < 0 || !IMAGE_REFERENCE.test(text.slice(0, colon))) return { remote: undefined, path: text };
  return { remote: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** Who sees an image: its owner alone, he and those whom he names, everybody. */
export const IMAGE_VISIBILITIES = ['private', 'shared', 'visible'] as const;
export type ImageVisibility = (typeof IMAGE_VISIBILITIES)[number];
