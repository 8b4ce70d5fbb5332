/** Schemas of everything that users name. All input passes one of them before any code acts on it. */
import { z } from 'zod';
import { isReservedNodeName, NODE_NAME } from './forms.ts';

/** A node or device. */
export const nodeName = z.string().regex(NODE_NAME, {
  error: 'must be 2 to 63 lower-case letters, digits and dashes, starting with a letter',
});

/** A name that a node is to get. */
export const newNodeName = nodeName.refine((name) => !isReservedNodeName(name), {
  error: 'must be another name: this one has a meaning of its own in WalT',
});

/** `name` or `name:tag`: what a user calls an image inside his own set. */
export const imageName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,62})?$/, {
    error: 'must be lower-case letters, digits, dashes, dots and underscores, with at most one ":tag"',
  })
  .refine((name) => name.split(':')[0] !== 'default', { error: 'the word "default" is reserved' });

/** `name`, or `owner/name` for someone else's image. */
export const imageReference = z
  .string()
  .max(200)
  .regex(
    /^(?:[A-Za-z_][A-Za-z0-9._-]{0,31}\/)?[a-z0-9][a-z0-9._-]{0,62}(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,62})?$/,
    {
      error: 'must look like "name", "name:tag" or "owner/name"',
    },
  );

/** An image as it is, or an older version: `name`, `owner/name@{2}` (two steps back), `name@sha256:…` (7 digits or more). */
export const imageVersion = z
  .string()
  .max(300)
  .regex(
    /^(?:[A-Za-z_][A-Za-z0-9._-]{0,31}\/)?[a-z0-9][a-z0-9._-]{0,62}(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,62})?(?:@\{[0-9]{1,5}\}|@sha256:[0-9a-f]{7,64})?$/,
    {
      error: 'must look like "name", "owner/name", "name@{2}" or "name@sha256:…"',
    },
  );

/** Owner of the images that belong to nobody: a node that boots one of them is free. */
export const PLATFORM_OWNER = 'waltplatform';

/** A login name of the server's operating system. */
export const userName = z.string().regex(/^[A-Za-z_][A-Za-z0-9._-]{0,31}$/);

/** 48-bit hardware address, lower case, colons. */
export const macAddress = z.string().regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/);

export const ipv4 = z.ipv4();

/** An image's identity: its OCI config digest, which covers all its layers. */
export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** `a,b,c` or a keyword: `my-nodes`, `free-nodes`, `all-nodes`; keywords and names may be mixed. */
export const nodeSet = z
  .string()
  .max(65_536)
  .regex(/^[a-z][a-z0-9-]*(?:,[a-z][a-z0-9-]*)*$/, {
    error: 'must be node names separated by commas, or "my-nodes", "free-nodes", "all-nodes"',
  });

/** CPU architectures by their Debian and OCI-like names, the ones WalT boots. */
export const architecture = z.enum(['amd64', 'arm64', 'armhf', 'i386']);
export type Architecture = z.infer<typeof architecture>;
