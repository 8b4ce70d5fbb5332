import { z } from 'zod';
import { digest, nodeName } from './schemas.ts';

/** A change that no image can hold. */
export const lostChange = z.object({
  path: z.string(),
  /** Begins in lower case, without a full stop. */
  why: z.string(),
});
export type LostChange = z.infer<typeof lostChange>;

/** What a change of an image came to. */
export const savedImage = z.object({
  /** `owner/name`. */
  image: z.string(),
  digest,
  /** False: nothing had changed, the name points to what it pointed to. */
  changed: z.boolean(),
  /** Nodes that boot this name and still run an older digest. */
  nodes: z.array(nodeName),
});
export type SavedImage = z.infer<typeof savedImage>;
/** What files that were put into an image came to. */
export type ImageWritten = Omit<SavedImage, 'changed'>;
