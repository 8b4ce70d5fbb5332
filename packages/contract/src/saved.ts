import * as z from 'zod';
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

/** On a node, a file that was added (A), changed (M) or deleted (D). */
export interface NodeChange {
  kind: 'A' | 'M' | 'D';
  path: string;
  /** Why it is not saved: it is the `platform`'s, or a `list` of the platform's or the image's names it. Null: it is saved. */
  leftOut: 'platform' | 'list' | null;
}
