import type { Architecture } from '@walt/contract';
import { UserError } from '../platform/index.ts';

interface Names {
  /** `architecture` and `variant` of an OCI image (image-spec, config.md; names as in Go). */
  oci: string;
  variant?: string;
  /** Name in the files of binfmt.d, after `qemu-`. */
  qemu: string;
  /** Image of that architecture which free nodes boot. */
  defaultImage: string;
}

const names: Record<Architecture, Names> = {
  amd64: { oci: 'amd64', qemu: 'x86_64', defaultImage: 'pc-x86-64-default' },
  i386: { oci: '386', qemu: 'i386', defaultImage: 'pc-x86-32-default' },
  arm64: { oci: 'arm64', qemu: 'aarch64', defaultImage: 'arm64-default' },
  armhf: { oci: 'arm', variant: 'v7', qemu: 'arm', defaultImage: 'armhf-default' },
};

export function defaultImageName(architecture: Architecture): string {
  return names[architecture].defaultImage;
}

export function emulatorName(architecture: Architecture): string {
  return names[architecture].qemu;
}

/** Options that give an image its platform, for `podman import`. */
export function platformOptions(architecture: Architecture): string[] {
  const { oci, variant } = names[architecture];
  return ['--os', 'linux', '--arch', oci, ...(variant ? ['--variant', variant] : [])];
}

/** How OCI images name an architecture. */
export function ociName(architecture: Architecture): Pick<Names, 'oci' | 'variant'> {
  return names[architecture];
}

/** Debian's name for an OCI architecture. Throws UserError INVALID for one that no node has. */
export function fromOci(oci: string): Architecture {
  for (const [architecture, { oci: name }] of Object.entries(names)) {
    if (name === oci) return architecture as Architecture;
  }
  throw new UserError(
    'INVALID',
    `The image is for the CPU architecture "${oci}", which no node has.`,
    'Take an image for amd64, i386, arm64 or armhf.',
  );
}

/** Architecture of this machine. Throws UserError UNAVAILABLE for one that WalT does not know. */
export function serverArchitecture(arch: string = process.arch): Architecture {
  const known: Record<string, Architecture> = { x64: 'amd64', ia32: 'i386', arm64: 'arm64', arm: 'armhf' };
  const architecture = known[arch];
  if (architecture) return architecture;
  throw new UserError(
    'UNAVAILABLE',
    `WalT does not know this server's CPU (${arch}).`,
    'Use an x86 or ARM server.',
  );
}

/** True where a server of architecture `server` runs the binaries of `image` without emulation. */
export function runsNatively(image: Architecture, server: Architecture): boolean {
  return image === server || (server === 'amd64' && image === 'i386');
}
