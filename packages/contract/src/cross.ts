/**
 * Builds at the server's own speed for an image of another CPU: a job (jobs.ts). When it ends, nothing is left of it but what it saved.
 * It takes the client's folder, runs the command, tells that it has `ended`, and gives back what was changed in the folder: `deleted`
 * paths, and `files`. `exit` carries the command's status, once all is done.
 */
import { oc } from '@orpc/contract';
import * as z from 'zod';
import { errors } from './errors.ts';
import { openedJob } from './jobs.ts';
import { withProgress } from './progress.ts';
import { architecture, commandWord, imageName, imageReference } from './schemas.ts';

const base = oc.errors(errors);

const folder = z
  .string()
  .max(4096)
  .regex(/^(?:\/[^/\0]+)+$/, { error: 'must be an absolute path, without a slash at its end' })
  .refine((path) => !path.split('/').some((part) => part === '.' || part === '..'), {
    error: 'must have no "." and no ".." in it',
  });

/** Where the software will live in the image: this is also written into files of other programs' languages. */
const prefix = folder.refine((path) => /^[A-Za-z0-9/._+-]+$/.test(path), {
  error: 'must be of letters, digits, dots, dashes, underscores and "+"',
});

export const crossContract = {
  /** Makes the toolchain. CONFIRM when another image has the name that is to be saved under. */
  open: base
    .input(
      z.object({
        image: imageReference,
        command: z.array(commandWord).min(1).max(10_000),
        /** The client's current folder: the command sees its content at the same path. */
        folder,
        /** Folder of the image that takes what is installed. */
        prefix: prefix.default('/usr/local'),
        /** False: what was installed is thrown away. */
        save: z.boolean().default(true),
        /** Name to save under, in the caller's set; default: the image's own. */
        name: imageName.optional(),
        yes: z.boolean().default(false),
      }),
    )
    .output(
      withProgress(
        openedJob.extend({
          architecture,
          /** False: the image has no C library to build with (libc6-dev), so the toolchain's is used. */
          ownLibrary: z.boolean(),
        }),
      ),
    ),
};
