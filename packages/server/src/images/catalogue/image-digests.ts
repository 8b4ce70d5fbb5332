import type { DatabaseSync } from 'node:sqlite';

/** Digests of all images that a copy of the database names, of whatever version: these columns have always been there. */
export function imageDigestsIn(copy: DatabaseSync): string[] {
  return copy
    .prepare('SELECT digest FROM image_digest ORDER BY digest')
    .all()
    .map(({ digest }) => String(digest));
}
