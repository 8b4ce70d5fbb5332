/**
 * Every value that ends in a boot script, on a kernel command line or in the bootstrap document passes one of these:
 * none of them lets a blank, a quote, a line end or a character through that iPXE or a shell gives a meaning to.
 */
import { digest, ipv4, macAddress, nodeName } from '@walt/contract';
import * as z from 'zod';
import type { BootTarget } from './directory.ts';

const word = z.string().regex(/^[A-Za-z0-9._-]{1,255}$/);

export const bootTarget = z.object({
  nodeId: z.int().positive(),
  mac: macAddress,
  ip: ipv4,
  prefix: z.int().min(1).max(32),
  name: nodeName,
  server: ipv4,
  volumeServer: ipv4,
  proofs: z
    .array(z.object({ name: word, blocks: z.int().positive(), root: z.string().regex(/^[0-9a-f]{64}$/) }))
    .readonly(),
  nat: z.boolean(),
  logs: z.array(z.enum(['journal', 'netconsole'])).readonly(),
  digest,
  layers: z.array(digest).readonly(),
  size: z.number(),
  bootPlan: z.enum(['volumes', 'nfs-root']).nullable(),
  model: word,
  isVirtual: z.boolean(),
  disk: z.enum(['none', 'use', 'skip']),
  generation: z.int().nonnegative(),
  token: word,
  persist: z.int().positive().nullable(),
  delay: z.int().min(0).max(3600),
  platformVolume: word,
}) satisfies z.ZodType<Omit<BootTarget, 'identity'>>;

/** Throws ZodError, which names the first field that is not what it must be. */
export function checkTarget(target: BootTarget): BootTarget {
  bootTarget.parse(target);
  return target;
}

const deviceTreeName = z
  .string()
  .regex(/^(?:[A-Za-z0-9][A-Za-z0-9_+.-]{0,99}\/)?[A-Za-z0-9][A-Za-z0-9_+.-]{0,99}\.dtb$/);

/** Of a device tree's file, as words of a script and a path. Throws ZodError for one that climbs. */
export function checkDeviceTree(name: string): string {
  return deviceTreeName.parse(name);
}
