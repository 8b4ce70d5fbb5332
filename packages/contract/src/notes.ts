import * as z from 'zod';

/**
 * What somebody should know of a machine. `two-machines`: two have the same hardware address. `other-machine`: its adapter is in
 * another machine now. `other-model`: it is not what it is known as. `moved`: it was plugged into another port. `clock`: its clock
 * is off. `boot`: it asked for something to boot, and got nothing. `memory`: it killed programs for want of memory.
 * `disk`: it cannot use its disk as it should.
 */
export const deviceNote = z.object({
  kind: z.enum(['two-machines', 'other-machine', 'other-model', 'moved', 'clock', 'boot', 'memory', 'disk']),
  /** Unix time in seconds when it was noticed last. */
  at: z.number(),
  /** A sentence. */
  text: z.string(),
});
export type DeviceNote = z.infer<typeof deviceNote>;
