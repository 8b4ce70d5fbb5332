import type { Architecture, Lend } from '@walt/contract';
import type { ImageTree, PreparedBoot } from '../boot/index.ts';

/** A name, and what is known of the image that it points to. */
export interface ImageRecord extends DigestRecord {
  owner: string;
  name: string;
}

/** An image, whatever it is called. */
export interface DigestRecord {
  /** OCI config digest: `sha256:` and podman's image ID. */
  digest: string;
  architecture: Architecture;
  /** Unix time in seconds. */
  created: number;
  /** Bytes, unpacked. */
  size: number;
  /** Diff IDs, bottom first. */
  layers: readonly string[];
  /** Kernel release that nodes boot, its own or a lent one; null: it cannot boot. */
  kernel: string | null;
  /** That of real nodes, where it is another one. */
  realKernel?: string | undefined;
  bootPlan: BootPlan | null;
  /** Node models that it is for; they can boot it unless `kernel` is null. */
  models: readonly string[];
  /** What it lacks, which nodes get from the platform. */
  lends: readonly Lend[];
}

export type BootPlan = 'volumes' | 'nfs-root';

/**
 * Makes the boot files of an image from its mounted, read-only tree. Called when an image arrives or is committed, never when
 * a node boots; called again for the same digest, it ends with the same files.
 */
export type PrepareBoot = (image: ImageTree) => Promise<PreparedBoot>;

/** Prefixes a command line so that it runs with the host's network, outside the platform's namespace. */
export type HostCommand = (argv: readonly string[]) => string[];
