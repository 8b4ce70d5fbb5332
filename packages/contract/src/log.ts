/** Lines that nodes and the platform log. The lines themselves come by plain HTTP (streams.ts, `logLines`). */
import { oc } from '@orpc/contract';
import * as z from 'zod';
import { errors } from './errors.ts';
import { CHECKPOINT_NAME } from './values/index.ts';

const base = oc.errors(errors);

export const checkpointName = z.string().regex(CHECKPOINT_NAME, {
  error: 'must be letters, digits and dashes, two at least, no dash first or last',
});

/** A moment that its user has named. `at` is microseconds of Unix time, by the server's clock. */
export const checkpoint = z.object({ name: checkpointName, at: z.number() });
export type Checkpoint = z.infer<typeof checkpoint>;

export const logContract = {
  /** Names this moment, or `at`. Throws CONFLICT when the caller has one of that name. */
  addCheckpoint: base
    .input(z.object({ name: checkpointName, at: z.number().min(0).max(Number.MAX_SAFE_INTEGER).optional() }))
    .output(checkpoint),
  /** Throws NOT_FOUND. */
  removeCheckpoint: base.input(z.object({ name: checkpointName })).output(checkpoint),
  /** The caller's own, by time. */
  checkpoints: base.output(z.array(checkpoint)),
};
