/** What stands behind FROM and `COPY --from=`, where it is no stage: which images it may mean, in the order in which they are tried. Pure. */
import {
  DIGEST,
  HUB,
  hubRepository,
  isImageVersion,
  isRepository,
  type NamedImage,
  PLATFORM_LABEL,
  parseImageLink,
  parseImageVersion,
  REGISTRY_HOST,
  REGISTRY_TAG,
  type RegistryLink,
  type Version,
} from '@walt/contract';

/** An image of this platform, or one of its versions. */
export interface OwnReference extends NamedImage {
  kind: 'own';
  version: Version;
}

/** An image of a registry, whichever has that host. */
export interface HostReference {
  kind: 'host';
  host: string;
  repository: string;
  tag: string | undefined;
  digest: string | undefined;
}

/** An image of the registry that server.conf calls so. */
export interface LinkReference {
  kind: 'link';
  link: RegistryLink;
}

export type Reference = OwnReference | HostReference | LinkReference;

const HOST = new RegExp(REGISTRY_HOST, 'i');
const HERE = `${PLATFORM_LABEL}:`;

/**
 * `name` is the user's own image, `owner/name` anybody's, with `@{2}` or `@sha256:…` an older version; `label:repository` is what
 * `walt image clone` takes; all else is read as Docker does. Empty for what is no reference.
 */
export function readReference(text: string, user: string): Reference[] {
  if (text.startsWith(HERE)) return present([own(text.slice(HERE.length), user)]);
  const link = parseImageLink(text);
  return present([
    own(text, user),
    link?.kind === 'registry' ? { kind: 'link', link } : undefined,
    host(text),
  ]);
}

function present(readings: readonly (Reference | undefined)[]): Reference[] {
  return readings.filter((one) => one !== undefined);
}

function own(text: string, user: string): OwnReference | undefined {
  return isImageVersion(text) ? { kind: 'own', ...parseImageVersion(text, user) } : undefined;
}

/**
 * As distribution/reference: the first part is a host where it has a dot or a colon or is `localhost`; without one, Docker Hub is
 * meant, whose own images are in `library`.
 */
function host(text: string): HostReference | undefined {
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) return undefined;
  const slash = named.indexOf('/');
  const first = slash < 0 ? '' : named.slice(0, slash);
  const hasHost = /[.:]/.test(first) || first === 'localhost';
  if (hasHost && !HOST.test(first)) return undefined;
  const path = hasHost ? named.slice(slash + 1) : named;
  const colon = path.lastIndexOf(':');
  const name = colon < 0 ? path : path.slice(0, colon);
  const tag = colon < 0 ? undefined : path.slice(colon + 1);
  if (!isRepository(name) || (tag !== undefined && !REGISTRY_TAG.test(tag))) return undefined;
  const at = hasHost && first !== 'index.docker.io' ? first.toLowerCase() : HUB;
  const repository = at === HUB ? hubRepository(name) : name;
  return { kind: 'host', host: at, repository, tag, digest };
}
