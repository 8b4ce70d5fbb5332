/** What registries call images (OCI distribution-spec), and links: where an image lies, on this platform or in a registry. */
import { isImageReference, type NamedImage, parseImageReference } from './images.ts';
import { PLATFORM_LABEL } from './names.ts';

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const PATH = `${COMPONENT}(?:/${COMPONENT})*`;
const TAG = '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}';
const DIGEST = 'sha256:[0-9a-f]{64}';

/** What server.conf calls a registry, but for the label that means this platform. */
export const REGISTRY_LABEL = /^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
/** `host` or `host:port`, as it stands in front of an image's name in a registry. */
export const REGISTRY_HOST = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?$/;
/** What tells the images of a repository apart. */
export const REGISTRY_TAG = new RegExp(`^${TAG}$`);
/** Where to publish: `repository` or `repository:tag`. */
export const PUBLISH_NAME = new RegExp(`^${PATH}(?::${TAG})?$`);
/** Characters of it, and of a repository. */
export const MAX_REPOSITORY = 255;
const MAX_LINK = 512;

const REPOSITORY = new RegExp(`^${PATH}$`);
const LINKED = new RegExp(`^(${PATH})(?::(${TAG})|@(${DIGEST}))?$`);

export function isRegistryLabel(text: string): boolean {
  return REGISTRY_LABEL.test(text) && text !== PLATFORM_LABEL;
}

export function isRepository(text: string): boolean {
  return text.length <= MAX_REPOSITORY && REPOSITORY.test(text);
}

export function isPublishName(text: string): boolean {
  return text.length <= MAX_REPOSITORY && PUBLISH_NAME.test(text);
}

/** Reads what is an `isPublishName`; without a tag, it is `latest`. */
export function parsePublishName(text: string): { repository: string; tag: string } {
  const [repository = text, tag = 'latest'] = text.split(':');
  return { repository, tag };
}

/** Docker Hub's host in references. */
export const HUB = 'docker.io';

/** Docker Hub's name of a repository: its own images have an owner only there. */
export function hubRepository(name: string): string {
  return name.includes('/') ? name : `library/${name}`;
}

/** An image of this platform. */
export interface PlatformLink extends NamedImage {
  kind: 'platform';
}

/** An image of a registry; without tag and digest, what it calls `latest`. */
export interface RegistryLink {
  kind: 'registry';
  label: string;
  repository: string;
  tag?: string;
  digest?: string;
}

export type ImageLink = PlatformLink | RegistryLink;

/** `walt:owner/name[:tag]`, `label:repository[:tag]` or `label:repository@sha256:…`. Undefined for what is no link. */
export function parseImageLink(text: string): ImageLink | undefined {
  const colon = text.indexOf(':');
  const [label, rest] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 0 || text.length > MAX_LINK) return undefined;
  if (label === PLATFORM_LABEL) {
    if (!rest.includes('/') || !isImageReference(rest)) return undefined;
    return { kind: 'platform', ...parseImageReference(rest, '') };
  }
  const [, repository, tag, digest] = LINKED.exec(rest) ?? [];
  if (!isRegistryLabel(label) || repository === undefined || repository.length > MAX_REPOSITORY) {
    return undefined;
  }
  return {
    ...{ kind: 'registry', label, repository },
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

/** The text that `parseImageLink` reads. */
export function formatImageLink(link: ImageLink): string {
  if (link.kind === 'platform') return `${PLATFORM_LABEL}:${link.owner}/${link.name}`;
  const { label, repository, tag, digest } = link;
  const suffix = digest !== undefined ? `@${digest}` : tag !== undefined ? `:${tag}` : '';
  return `${label}:${repository}${suffix}`;
}
