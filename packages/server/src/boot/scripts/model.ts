import type { Architecture } from '@walt/contract';
import type { Hardware } from './boot-choice.ts';

/** CPU as a boot script reports it: iPXE's `buildarch` words, `x86_64` proven by CPUID. */
const CPUS = new Map<string, { architecture: Architecture; model: string }>([
  ['x86_64', { architecture: 'amd64', model: 'pc-x86-64' }],
  ['i386', { architecture: 'i386', model: 'pc-x86-32' }],
  ['arm64', { architecture: 'arm64', model: 'qemu-arm64' }],
  ['arm32', { architecture: 'armhf', model: 'qemu-armhf' }],
]);

/** A machine by the CPU that its boot script found. */
export function machineOf(cpu: string): Hardware {
  return { architecture: undefined, model: undefined, ...CPUS.get(cpu), words: `the CPU ${cpu}` };
}

/** Models that boot an image of an architecture when it has a kernel. */
const MODELS: Record<Architecture, readonly string[]> = {
  amd64: ['pc-x86-64'],
  i386: ['pc-x86-32', 'pc-x86-64'],
  arm64: ['qemu-arm64'],
  armhf: ['qemu-armhf'],
};

/** Models separated by commas, as images made for WalT say. */
const MODELS_LABEL = 'walt.node.models';

/** Node models that an image is for: what its label says, else those of its architecture. */
export function imageModels(architecture: Architecture, labels: Readonly<Record<string, string>>): string[] {
  const named = (labels[MODELS_LABEL] ?? '').split(',').map((word) => word.trim());
  const valid = named.filter((word) => /^[a-z0-9][a-z0-9-]{0,62}$/.test(word));
  return valid.length > 0 ? valid : [...MODELS[architecture]];
}
