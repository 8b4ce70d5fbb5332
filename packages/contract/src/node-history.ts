/** The boots of nodes: what ran, why, and how it went. All times are Unix times in seconds, with fractions. */
import * as z from 'zod';
import { digest } from './schemas.ts';
import { BOOT_CAUSES, BOOT_STEPS } from './values/index.ts';

export const bootStep = z.enum(BOOT_STEPS);

/** Why a boot did not go on. What a machine printed or said is as it came: it must be escaped where it is shown. */
export const bootFailure = z.object({
  at: z.number(),
  reason: z.string(),
  /** It was tried as often as it may be (the setting `boot.retries`). */
  final: z.boolean(),
  /** The last lines of its console; none where it has no console here, or it is another user's. */
  console: z.array(z.string()),
});
export type BootFailure = z.infer<typeof bootFailure>;

export const nodeBoot = z.object({
  /** Number of the order that it carries out. */
  generation: z.number(),
  /** How often this was tried: 1 for the first boot of an order, one more for each that follows one that did not come up. */
  attempt: z.number(),
  cause: z.enum(BOOT_CAUSES),
  /** Who ordered it; null: no user. */
  user: z.string().nullable(),
  /** When it was ordered, or seen first. */
  began: z.number(),
  /** `waiting`: the node has not asked for it yet. `lost`: another boot followed before it was up. */
  state: z.enum(['waiting', 'booting', 'booted', 'failed', 'lost']),
  /** `owner/name` that was resolved, and what it pointed to; null: not yet. */
  image: z.string().nullable(),
  digest: digest.nullable(),
  /**
   * What else ran: SHA-256 of the kernel's file; of the initramfs without its last part, which only this node must know; of the
   * volume of the platform's own layer. Null: it was not loaded, or is the image's own.
   */
  kernel: digest.nullable(),
  initramfs: digest.nullable(),
  platform: digest.nullable(),
  /** In the order of their times. */
  steps: z.array(z.object({ step: bootStep, at: z.number() })),
  /** When it said that it goes down. */
  left: z.number().nullable(),
  /** Why it did not begin by kexec; null: it did (the step `kexec`), or that was not tried. As a machine may have said it. */
  noKexec: z.string().nullable(),
  failure: bootFailure.nullable(),
});
export type NodeBoot = z.infer<typeof nodeBoot>;
