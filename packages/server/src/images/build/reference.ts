/** What stands behind FROM and `COPY --from=`, where it is no stage: which images it may mean, in the order in which they are tried. Pure. */
import { type ImageLink, imageVersion, parseImageLink } from '@walt/contract';

/** An image of this platform, or one of its versions. */
export interface OwnReference {
  kind: 'own';
  owner: string;
  name: string;
  /** So many steps back, or a digest or its beginning. */
  version: { back: number } | { digest: string } | undefined;
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
  link: Extract<ImageLink, { kind: 'registry' }>;
}

export type Reference = OwnReference | HostReference | LinkReference;

/** Docker Hub, whose name is left out in references. */
export const HUB = 'docker.io';

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * `name` is the user's own image, `owner/name` anybody's, with `@{2}` or `@sha256:…` an older version; `label:repository` is what
 * `walt image clone` takes; all else is read as Docker does. Empty for what is no reference.
 */
export function readReference(text: string, user: string): Reference[] {
  const link = text.startsWith('walt:') ? undefined : parseImageLink(text);
  const readings = [
    own(text.startsWith('walt:') ? text.slice('walt:'.length) : text, user),
    link?.kind === 'registry' ? ({ kind: 'link', link } as const) : undefined,
    text.startsWith('walt:') ? undefined : host(text),
  ];
  return readings.filter((one) => one !== undefined);
}

function own(text: string, user: string): OwnReference | undefined {
  if (!imageVersion.safeParse(text).success) return undefined;
  const [reference = '', version = ''] = text.split('@');
  const slash = reference.indexOf('/');
  const back = /^\{(\d+)\}$/.exec(version)?.[1];
  return {
    kind: 'own',
    owner: slash < 0 ? user : reference.slice(0, slash),
    name: reference.slice(slash + 1),
    version: back !== undefined ? { back: Number(back) } : version ? { digest: version } : undefined,
  };
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
  if (!NAME.test(name) || name.length > 255 || (tag !== undefined && !TAG.test(tag))) return undefined;
  const at = hasHost && first !== 'index.docker.io' ? first.toLowerCase() : HUB;
  const repository = at === HUB && !name.includes('/') ? `library/${name}` : name;
  return { kind: 'host', host: at, repository, tag, digest };
}
