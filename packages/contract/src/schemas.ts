/** Schemas of everything that users name, made of `values/`. All input passes one of them before any code acts on it. */
import * as z from 'zod';
import {
  ARCHITECTURES,
  DIGEST,
  GROUP_NAME,
  IMAGE_NAME,
  IMAGE_REFERENCE,
  IMAGE_VERSION,
  type ImageLink,
  isReservedImageName,
  isReservedNodeName,
  MAC_ADDRESS,
  MAX_GUESTS,
  MAX_IMAGE_REFERENCE,
  MAX_IMAGE_VERSION,
  MAX_REPOSITORY,
  NODE_NAME,
  PLATFORM_LABEL,
  PUBLISH_NAME,
  parseImageLink,
  parseNodeSet,
  REGISTRY_HOST,
  REGISTRY_LABEL,
  USER_NAME,
  VIRTUAL_MODELS,
} from './values/index.ts';

/** A node or device. */
export const nodeName = z.string().regex(NODE_NAME, {
  error: 'must be 2 to 63 lower-case letters, digits and dashes, starting with a letter',
});

/** A name that a node is to get. */
export const newNodeName = nodeName.refine((name) => !isReservedNodeName(name), {
  error: 'must be another name: this one has a meaning of its own in WalT',
});

/** What `parseNodeSet` reads: names, keywords and patterns, then conditions. */
export const nodeSet = z
  .string()
  .max(65_536)
  .superRefine((text, context) => {
    const parsed = parseNodeSet(text);
    if (typeof parsed === 'string') context.addIssue({ code: 'custom', message: parsed });
  });

/** `name` or `name:tag`: what a user calls an image inside his own set. */
export const imageName = z
  .string()
  .regex(IMAGE_NAME, {
    error: 'must be lower-case letters, digits, dashes, dots and underscores, with at most one ":tag"',
  })
  .refine((name) => !isReservedImageName(name), { error: 'the word "default" is reserved' });

/** `name`, or `owner/name` for someone else's image. */
export const imageReference = z
  .string()
  .max(MAX_IMAGE_REFERENCE)
  .regex(IMAGE_REFERENCE, { error: 'must look like "name", "name:tag" or "owner/name"' });

/** An image as it is, or an older version. */
export const imageVersion = z
  .string()
  .max(MAX_IMAGE_VERSION)
  .regex(IMAGE_VERSION, { error: 'must look like "name", "owner/name", "name@{2}" or "name@sha256:…"' });

/** A file or folder in an image. */
export const imagePath = z
  .string()
  .min(1)
  .max(4096)
  .startsWith('/', { error: 'must be an absolute path' })
  .refine((path) => !path.includes('\0'), { error: 'must not contain a null byte' });

/** What server.conf calls a registry. */
export const registryLabel = z
  .string()
  .regex(REGISTRY_LABEL, {
    error: 'must be 1 to 32 lower-case letters, digits and dashes, starting with a letter',
  })
  .refine((label) => label !== PLATFORM_LABEL, {
    error: `must not be "${PLATFORM_LABEL}": that is this platform itself`,
  });

/** Where a registry is. */
export const registryHost = z.string().regex(REGISTRY_HOST, {
  error: 'must be a host name or address in lower case, with ":PORT" where it is not 443',
});

/** Where to publish in a registry: `repository` or `repository:tag`. */
export const publishName = z.string().max(MAX_REPOSITORY).regex(PUBLISH_NAME, {
  error: 'must look like "repository" or "repository:tag", in lower case, with "/" between its parts',
});

/** What `parseImageLink` reads. */
export const imageLink = z.string().transform((text, context): ImageLink => {
  const link = parseImageLink(text);
  if (link) return link;
  context.issues.push({
    ...{ code: 'custom', input: text },
    message: 'must look like "walt:owner/name", "registry:repository:tag" or "registry:repository@sha256:…"',
  });
  return z.NEVER;
});

/** A login name of the server's operating system. */
export const userName = z.string().regex(USER_NAME, {
  error: 'must be the name of a login: letters, digits, dots, dashes and underscores, starting with a letter',
});

/** A group of the server's operating system. */
export const groupName = z.string().regex(GROUP_NAME, { error: 'must be the name of a group' });

/** Logins and groups of the server's machine, with whom something is shared. */
export const guests = z.object({ users: z.array(userName), groups: z.array(groupName) });
export type GuestList = z.infer<typeof guests>;

/** Those that a user names. */
export const namedGuests = {
  users: z.array(userName).max(MAX_GUESTS).default([]),
  groups: z.array(groupName).max(MAX_GUESTS).default([]),
};

export const macAddress = z.string().regex(MAC_ADDRESS);

export const ipv4 = z.ipv4();

/** An image's identity: its OCI config digest, which covers all its layers. */
export const digest = z.string().regex(DIGEST);

export const architecture = z.enum(ARCHITECTURES);

export const virtualModel = z.enum(VIRTUAL_MODELS);

/** A word of a command in an image. What execve(2) takes: no word with a NUL. */
export const commandWord = z
  .string()
  .max(131_072)
  .regex(/^[^\0]*$/, { error: 'must not contain a NUL character' });

/** An image shell session. */
export const sessionId = z.string().regex(/^[0-9a-f]{16}$/);

/** A job that was opened (jobs.ts), for one attachment. */
export const jobId = z.string().regex(/^[0-9a-f]{32}$/);
