/**
 * What was changed on a node since it booted. `open` makes a job (jobs.ts), which prints a program on `stdout`: a gzip'd cpio archive that
 * the client unpacks in the node's initramfs, to run `send-changes` of it there. When all of it has come, the job is `ready` for what
 * that prints. It tells the changes as events, and what of them no image can hold in its last word.
 */
import { oc } from '@orpc/contract';
import * as z from 'zod';
import { errors } from './errors.ts';
import { openedJob } from './jobs.ts';
import { withProgress } from './progress.ts';
import { savedImage } from './saved.ts';
import { digest, imageName, jobId, nodeName } from './schemas.ts';

const base = oc.errors(errors);

/** What a node was given at its boot, and what it would be given now. Null: it is not known, or there is none. */
export const nodePart = z.object({
  part: z.enum(['image', 'platform', 'kernel', 'initramfs']),
  ran: digest.nullable(),
  now: digest.nullable(),
});
export type NodePart = z.infer<typeof nodePart>;

export const nodeChangesContract = {
  /** Of a node that has booted; UNAVAILABLE for others. */
  parts: base
    .input(z.object({ name: nodeName }))
    .output(z.object({ image: z.string(), parts: z.array(nodePart) })),
  /**
   * UNAVAILABLE unless the node has booted. CONFIRM when `saveAs` is another image of the caller's than the node runs, and `yes` is not
   * given.
   */
  open: base
    .input(
      z.object({
        name: nodeName,
        /** A name in the caller's set; default: it is only told what changed. */
        saveAs: imageName.optional(),
        yes: z.boolean().default(false),
      }),
    )
    .output(
      openedJob.extend({
        /** `owner/name` of the image that it boots, and what it runs of that. */
        image: z.string(),
        digest,
        /** Nodes that boot the image with the name to save under. */
        nodes: z.array(nodeName),
      }),
    ),
  /**
   * Saves what the job has told, as a new layer on what the node runs, within ten minutes of its end. NOT_FOUND after that, CONFLICT
   * when the name was moved since `open`: the result then has a name of its own.
   */
  save: base.input(z.object({ job: jobId })).output(withProgress(savedImage)),
};
