/**
 * Builds at the server's own speed for an image of another CPU. `prepare` checks what is wanted and makes the toolchain;
 * its ticket opens the stream `imageCross`, which is the build: when that ends, nothing is left of it but what it saved.
 *
 * On the stream, the server first says `ready`. The client then sends a tar of its folder as binary messages, and the
 * frame `end`. The command runs. Each binary message from the server begins with one byte, its channel: `control` is a
 * `CrossEvent` as JSON, `stdout` and `stderr` are what the command prints, `files` is a tar of what it changed in the
 * folder. The frame `exit` carries the command's status, once all is done. A client that leaves ends the build.
 */
import { oc } from '@orpc/contract';
import { z } from 'zod';
import type { BuildEvent } from './build.ts';
import { errors } from './errors.ts';
import { withProgress } from './progress.ts';
import { architecture, imageName, imageReference, ticket } from './schemas.ts';

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

/** What execve(2) takes: no word with a NUL. */
const word = z
  .string()
  .max(131_072)
  .regex(/^[^\0]*$/, { error: 'must not contain a NUL character' });

export const crossContract = {
  /** CONFIRM when another image has the name that is to be saved under. The ticket is good for one build, within a minute. */
  prepare: base
    .input(
      z.object({
        image: imageReference,
        command: z.array(word).min(1).max(10_000),
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
        z.object({
          ticket,
          architecture,
          /** False: the image has no C library to build with (libc6-dev), so the toolchain's is used. */
          ownLibrary: z.boolean(),
        }),
      ),
    ),
};

export type CrossEvent =
  | BuildEvent
  /** The command has ended; what follows is the return of files, and the saving. */
  | { type: 'ended'; status: number }
  /** Paths relative to the folder, children before their folders; may come several times. */
  | { type: 'deleted'; paths: string[] };
