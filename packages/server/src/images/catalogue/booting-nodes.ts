import type { NamedImage } from '@walt/contract';
import type { AnyDatabase } from '../../platform/index.ts';

/** What images ask and tell the nodes that boot them, each in the transaction that it is given. */
export interface BootingNodes {
  /** Names of the nodes that boot an image, sorted. */
  of(database: AnyDatabase, image: NamedImage): Promise<string[]>;
  /** They boot the image under its new name from now on. */
  follow(database: AnyDatabase, image: NamedImage, newName: string): Promise<void>;
  /** Digests that nodes were given at their last boot. */
  served(database: AnyDatabase): Promise<string[]>;
}
