/**
 * Builds of images from a Dockerfile: a job (jobs.ts). When it ends, nothing is left of it but the image, and the cache of its user's
 * next build. It is `ready` for the folder once it has the images that the Dockerfile starts from. A build that fails ends with an
 * error that names the line; when the client leaves, no image changes.
 */
import { oc } from '@orpc/contract';
import * as z from 'zod';
import { errors } from './errors.ts';
import { openedJob } from './jobs.ts';
import { architecture, imageName } from './schemas.ts';
import { MAX_BUILD_SOURCE, MAX_DOCKERFILE } from './values/index.ts';

const base = oc.errors(errors);

const MAX_ARGUMENTS = 200;

/** Text of one line, for messages. */
const label = (length: number) =>
  z
    .string()
    .max(length)
    .regex(/^\P{Cc}*$/u, { error: 'must not contain control characters' });

const buildArguments = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
      error: 'must be letters, digits and underscores, not beginning with a digit',
    }),
    z
      .string()
      .max(32_768, { error: 'must have 32768 characters at most' })
      .regex(/^[^\0\r\n]*$/, { error: 'must be one line' }),
  )
  .refine((all) => Object.keys(all).length <= MAX_ARGUMENTS, {
    error: `must be ${MAX_ARGUMENTS} build arguments at most`,
  });

export const buildContract = {
  /**
   * Reads the Dockerfile. INVALID when it cannot be built; CONFIRM when an image that no build made has that name.
   */
  open: base
    .input(
      z.object({
        /** In the caller's set. */
        name: imageName,
        /** How messages call the Dockerfile: they begin with it. */
        file: label(4096).min(1),
        dockerfile: z
          .string()
          .max(MAX_DOCKERFILE, { error: `must be of ${MAX_DOCKERFILE} characters at most` })
          .regex(/^[^\0]*$/, { error: 'must be a text' }),
        /** Where the folder comes from, for the history. */
        source: label(MAX_BUILD_SOURCE).default(''),
        args: buildArguments.default({}),
        /** Of images that are made from nothing or have several; default: the server's own. */
        architecture: architecture.optional(),
        /** Name or number of the stage to build; default: the last one. */
        target: label(128).min(1).optional(),
        /** False: every step is run. */
        cache: z.boolean().default(true),
        yes: z.boolean().default(false),
      }),
    )
    .output(openedJob),
};
