import { z } from 'zod';
import { digest, nodeName } from './names.ts';

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
