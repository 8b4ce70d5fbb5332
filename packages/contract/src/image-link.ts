/** Links to images: where an image lies, on this platform or in a registry. Parsed here, so that no other code cuts text. */
import { z } from 'zod';
import { imageReference } from './names.ts';

/** The label that stands for the platform itself. */
export const PLATFORM_LABEL = 'walt';

/** What server.conf calls a registry. */
export const registryLabel = z
  .string()
  .regex(/^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/, {
    error: 'must be 1 to 32 lower-case letters, digits and dashes, starting with a letter',
  })
  .refine((label) => label !== PLATFORM_LABEL, {
    error: `must not be "${PLATFORM_LABEL}": that is this platform itself`,
  });

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const REPOSITORY = `${COMPONENT}(?:/${COMPONENT})*`;
const TAG = '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}';
const DIGEST = 'sha256:[0-9a-f]{64}';

/** Where to publish in a registry: `repository` or `repository:tag`, as registries name them (OCI distribution-spec). */
export const publishName = z
  .string()
  .max(255)
  .regex(new RegExp(`^${REPOSITORY}(?::${TAG})?$`), {
    error: 'must look like "repository" or "repository:tag", in lower case, with "/" between its parts',
  });

/** An image of this platform. */
export interface PlatformLink {
  kind: 'platform';
  owner: string;
  name: string;
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

const registryPart = new RegExp(`^(${REPOSITORY})(?::(${TAG})|@(${DIGEST}))?$`);

/** Undefined for what is no link. */
export function parseImageLink(text: string): ImageLink | undefined {
  const colon = text.indexOf(':');
  const [label, rest] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 0 || text.length > 512) return undefined;
  if (label === PLATFORM_LABEL) {
    const slash = rest.indexOf('/');
    if (slash < 0 || !imageReference.safeParse(rest).success) return undefined;
    return { kind: 'platform', owner: rest.slice(0, slash), name: rest.slice(slash + 1) };
  }
  const match = registryPart.exec(rest);
  const repository = match?.[1];
  if (!registryLabel.safeParse(label).success || repository === undefined || repository.length > 255) {
    return undefined;
  }
  const [, , tag, digest] = match ?? [];
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

/** `walt:owner/name[:tag]`, or `label:repository[:tag]`, or `label:repository@sha256:…`. */
export const imageLink = z.string().transform((text, context): ImageLink => {
  const link = parseImageLink(text);
  if (link) return link;
  context.issues.push({
    ...{ code: 'custom', input: text },
    message: 'must look like "walt:owner/name", "registry:repository:tag" or "registry:repository@sha256:…"',
  });
  return z.NEVER;
});
