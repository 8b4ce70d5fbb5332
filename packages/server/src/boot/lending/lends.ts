import type { Lend } from '@walt/contract';

/** What an image has of that which a node needs. */
export interface ImageFacts {
  /** With modules that fit it. */
  kernel: boolean;
  /** A first process that would start something. */
  init: boolean;
  /** OpenSSH's server. */
  ssh: boolean;
  /** `/bin/sh`. */
  shell: boolean;
}

/** What the platform lends to an image, in a fixed order; nothing for one that is complete. */
export function planLends({ kernel, init, ssh, shell }: ImageFacts): Lend[] {
  const lends: Lend[] = [];
  if (!kernel) lends.push('kernel');
  if (!init) lends.push('init');
  // Where the init is ours, nobody would start the image's own server.
  if (!ssh || !init) lends.push('ssh');
  if (!shell) lends.push('shell');
  return lends;
}
