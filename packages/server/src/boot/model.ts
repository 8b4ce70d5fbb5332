import type { Architecture } from '@walt/contract';

/** CPU as a boot script reports it: iPXE's `buildarch` words, `x86_64` proven by CPUID. */
const CPUS = new Map<string, { architecture: Architecture; model: string }>([
  ['x86_64', { architecture: 'amd64', model: 'pc-x86-64' }],
  ['i386', { architecture: 'i386', model: 'pc-x86-32' }],
  ['arm64', { architecture: 'arm64', model: 'qemu-arm64' }],
  ['arm32', { architecture: 'armhf', model: 'qemu-armhf' }],
]);

/** Node model and architecture behind a CPU name; undefined for one that WalT does not boot. */
export function modelOf(cpu: string): { architecture: Architecture; model: string } | undefined {
  return CPUS.get(cpu);
}
