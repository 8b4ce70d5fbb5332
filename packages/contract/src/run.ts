/** A command in an image, without a terminal: a job (jobs.ts). When the client leaves, the command is killed and nothing is kept. */
import { oc } from '@orpc/contract';
import * as z from 'zod';
import { errors } from './errors.ts';
import { openedJob } from './jobs.ts';
import { commandWord, imageName, imageReference } from './schemas.ts';

const base = oc.errors(errors);

/** Characters of a command with all its words, as JSON. */
const MAX_COMMAND = 32_768;

export const runContract = {
  /** CONFIRM when `saveAs` is another image of the caller's and `yes` is not given. */
  open: base
    .input(
      z.object({
        image: imageReference,
        /** The program and its arguments. */
        command: z
          .array(commandWord)
          .min(1)
          .refine(([program]) => program !== '', { error: 'must name a program' })
          .refine((words) => JSON.stringify(words).length <= MAX_COMMAND, {
            error: 'is too long: put it in a file and pass that as input',
          }),
        /** A name in the caller's set, for what a command that succeeds has changed; default: nothing is kept. */
        saveAs: imageName.optional(),
        yes: z.boolean().default(false),
      }),
    )
    .output(openedJob),
};
