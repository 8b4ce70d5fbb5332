/** Calls about how much of the platform each user has. */
import { oc } from '@orpc/contract';
import { z } from 'zod';
import { errors } from './errors.ts';
import { userName } from './schemas.ts';

const base = oc.errors(errors);

const item = z.object({ name: z.string(), amount: z.number() });

export const quota = z.object({
  /** `memory`, `images` and `persist` are in bytes. */
  name: z.enum(['virtual-nodes', 'cores', 'memory', 'images', 'persist']),
  used: z.number(),
  /** Null: as much as there is. */
  most: z.number().nullable(),
  /** Which entry of server.conf says so. */
  from: z.string().nullable(),
  /** What takes it. */
  by: z.array(item),
});
export type Quota = z.infer<typeof quota>;

export const userQuotas = z.object({
  user: userName,
  /** False: the server's machine does not know him any more. */
  known: z.boolean(),
  quotas: z.array(quota),
});
export type UserQuotas = z.infer<typeof userQuotas>;

export const spaceCalls = {
  /** What the caller has, and may have; with `all`, which is for administrators, everybody who has something. */
  quotas: base
    .input(z.object({ all: z.boolean().default(false) }).default({ all: false }))
    .output(z.array(userQuotas)),
};
