/** Registries: servers that keep images for many platforms; who is logged in to them, and images that go and come. */
import { oc } from '@orpc/contract';
import * as z from 'zod';
import { errors } from './errors.ts';
import { withProgress } from './progress.ts';
import {
  architecture,
  digest,
  imageLink,
  imageName,
  imageReference,
  nodeName,
  publishName,
  registryLabel,
} from './schemas.ts';

const base = oc.errors(errors);

export const registry = z.object({
  label: z.string(),
  kind: z.enum(['docker-registry-v2', 'docker-hub']),
  /** `host` or `host:port`. */
  host: z.string(),
  protocol: z.enum(['https', 'http']),
  description: z.string(),
  /** Name under which the caller is logged in there, or null. */
  username: z.string().nullable(),
});
export type Registry = z.infer<typeof registry>;

export const registryContract = {
  /** In the order of server.conf. */
  list: base.output(z.array(registry)),
  /** Asks the registry first: what is stored was right. Replaces the caller's earlier login. */
  login: base
    .input(
      z.object({
        registry: registryLabel,
        username: z.string().regex(/^[^\s:\p{C}-][^\s:\p{C}]{0,254}$/u, {
          error: 'must be a name without blanks and colons that does not start with a dash',
        }),
        password: z.string().min(1).max(4096),
      }),
    )
    .output(z.object({ registry: z.string(), username: z.string() })),
  logout: base
    .input(z.object({ registry: registryLabel }))
    /** `username` is null when there was no login. */
    .output(z.object({ registry: z.string(), username: z.string().nullable() })),
};

export const foundImage = z.object({
  /** `walt` for this platform, else the label of a registry. */
  location: z.string(),
  /** `owner/name`, or `repository:tag`. */
  name: z.string(),
  /** What `clone` takes. */
  link: z.string(),
  /** Null where only the registry knows. */
  architecture: architecture.nullable(),
  description: z.string(),
});
export type FoundImage = z.infer<typeof foundImage>;

/** Image calls that concern registries: a part of `imageContract`. */
export const imageRegistryCalls = {
  /** Other users' images and those of the registries whose name contains `keyword`. */
  search: base
    .input(
      z.object({
        keyword: z
          .string()
          .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, {
            error: 'must be letters, digits, dots, dashes, underscores and slashes',
          })
          .optional(),
      }),
    )
    .output(
      withProgress(
        z.object({
          found: z.array(foundImage),
          /** Registries that could not be asked, each with the reason. */
          failed: z.array(z.object({ registry: z.string(), reason: z.string(), hint: z.string() })),
        }),
      ),
    ),
  /**
   * Brings an image into the caller's set. CONFLICT when `name` exists and `force` is false. Layers that arrived before a
   * failure are kept for a day: the next attempt does not fetch them again.
   */
  clone: base
    .input(
      z.object({
        link: imageLink,
        /** Default: the last part of the link. */
        name: imageName.optional(),
        force: z.boolean().default(false),
        /** Which image of an index; default: the server's own architecture. */
        architecture: architecture.optional(),
      }),
    )
    .output(
      withProgress(
        z.object({
          image: z.string(),
          digest,
          architecture,
          /** Link that names this very image for ever, or null for one of this platform. */
          source: z.string().nullable(),
          /** Nodes that boot this name and still run the older digest. */
          nodes: z.array(nodeName),
        }),
      ),
    ),
  /** Copies an image to a registry. CONFIRM when another image has that name there. */
  publish: base
    .input(
      z.object({
        image: imageReference,
        /** May be left out where one registry only comes into question. */
        registry: registryLabel.optional(),
        /** Default: the caller's name, a slash, the image's name. */
        name: publishName.optional(),
        yes: z.boolean().default(false),
      }),
    )
    .output(
      withProgress(
        z.object({
          /** What others clone. */
          link: z.string(),
          /** The same with the registry's digest, which names this very image for ever. */
          source: z.string(),
          digest,
        }),
      ),
    ),
};
