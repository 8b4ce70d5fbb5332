import { virtualModelOf } from '../../models/index.ts';
import { UserError } from '../../platform/index.ts';
import type { MachineWish } from './engine.ts';

/** Throws UserError INVALID for a machine that is larger than its model can be, wherever it runs. */
export function requireModelLimit({
  model,
  cpuCores,
  ramMiB,
}: Pick<MachineWish, 'model' | 'cpuCores' | 'ramMiB'>): void {
  const { limit } = virtualModelOf(model).qemu;
  if (!limit || (cpuCores <= limit.cpuCores && ramMiB <= limit.ramMiB)) return;
  throw new UserError(
    'INVALID',
    `A virtual node of the model ${model} has ${limit.cpuCores} CPU cores and ${limit.ramMiB} MiB of memory at most.`,
    'Ask for less, or take another model.',
  );
}
