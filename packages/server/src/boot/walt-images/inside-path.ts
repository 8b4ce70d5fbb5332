import { posix } from 'node:path';
import * as z from 'zod';

/**
 * Path in an image without a leading slash, as records hold it. Whoever wrote the record, it is below the root when it is read:
 * `..` above the root is the root, as in any root file system.
 */
export const insidePath = z
  .string()
  .transform((path) => posix.normalize(`/${path.replaceAll('\0', '')}`).slice(1));
