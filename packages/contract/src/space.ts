/** Calls about how much of the platform each user has. */
import { oc } from '@orpc/contract';
import * as z from 'zod';
import { errors } from './errors.ts';
import { userName } from './schemas.ts';
import { DISK_PARTS, type DiskPartKind } from './values/index.ts';

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

/** Something that takes room on the server's disk. */
export const diskPart = z.object({
  /** Whose it is; null: the platform's own, or what images of several users have. */
  user: z.string().nullable(),
  kind: z.enum(Object.keys(DISK_PARTS) as [DiskPartKind, ...DiskPartKind[]]),
  /** Of an image or a node. */
  name: z.string().nullable(),
  bytes: z.number(),
});
export type DiskPart = z.infer<typeof diskPart>;

export const diskUsage = z.object({
  /** What the server has lies there. */
  folder: z.string(),
  /** Bytes of the disk that this folder lies on: all, what is free, and what of that users may not take. */
  size: z.number(),
  free: z.number(),
  reserved: z.number(),
  /** The largest first. Each byte counts in one of them. */
  parts: z.array(diskPart),
});
export type DiskUsage = z.infer<typeof diskUsage>;

export const spaceCalls = {
  /** What takes the server's disk. Images that the caller may not see are in it, without their names. */
  diskUsage: base.output(diskUsage),

  /** What the caller has, and may have; with `all`, which is for administrators, everybody who has something. */
  quotas: base
    .input(z.object({ all: z.boolean().default(false) }).default({ all: false }))
    .output(z.array(userQuotas)),
};
