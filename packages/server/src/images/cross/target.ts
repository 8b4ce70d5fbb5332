import type { Architecture } from '@walt/contract';

/** How build tools call a CPU. */
export interface Target {
  architecture: Architecture;
  /** Triplet of the GNU tools, which is the prefix of their names, too. */
  triplet: string;
  /** Debian's folder of libraries: `/usr/lib/MULTIARCH`. */
  multiarch: string;
  /** CMAKE_SYSTEM_PROCESSOR: what `uname -m` prints there. */
  machine: string;
  meson: { family: string; cpu: string };
  rust: string;
  go: Record<string, string>;
}

const targets: Record<Architecture, Target> = {
  amd64: {
    ...{ architecture: 'amd64', triplet: 'x86_64-linux-gnu', multiarch: 'x86_64-linux-gnu' },
    ...{ machine: 'x86_64', meson: { family: 'x86_64', cpu: 'x86_64' }, rust: 'x86_64-unknown-linux-gnu' },
    go: { GOARCH: 'amd64' },
  },
  i386: {
    ...{ architecture: 'i386', triplet: 'i686-linux-gnu', multiarch: 'i386-linux-gnu' },
    ...{ machine: 'i686', meson: { family: 'x86', cpu: 'i686' }, rust: 'i686-unknown-linux-gnu' },
    go: { GOARCH: '386' },
  },
  arm64: {
    ...{ architecture: 'arm64', triplet: 'aarch64-linux-gnu', multiarch: 'aarch64-linux-gnu' },
    ...{
      machine: 'aarch64',
      meson: { family: 'aarch64', cpu: 'aarch64' },
      rust: 'aarch64-unknown-linux-gnu',
    },
    go: { GOARCH: 'arm64' },
  },
  armhf: {
    ...{ architecture: 'armhf', triplet: 'arm-linux-gnueabihf', multiarch: 'arm-linux-gnueabihf' },
    ...{ machine: 'armv7l', meson: { family: 'arm', cpu: 'armv7hf' }, rust: 'armv7-unknown-linux-gnueabihf' },
    go: { GOARCH: 'arm', GOARM: '7' },
  },
};

export function targetOf(architecture: Architecture): Target {
  return targets[architecture];
}

/** Packages of the compilers and of the C library for `target`, on a server of architecture `server`. */
export function compilerPackages(target: Target, server: Architecture): string[] {
  if (target.architecture === server) return [];
  const name = target.triplet.replaceAll('_', '-');
  return [`gcc-${name}`, `g++-${name}`, `libc6-dev-${target.architecture}-cross`];
}
