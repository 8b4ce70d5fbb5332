import type { NamedImage } from '@walt/contract';
import { type Database, UserError } from '../../platform/index.ts';
import type { BootingNodes } from './booting-nodes.ts';
import { gone, history, seconds } from './catalogue-rows.ts';
import { requireNoSession } from './sessions.ts';
import type { ImageTables } from './tables.ts';

/** In a transaction: drops a name. Throws as `Catalogue.remove`. */
export async function remove(
  t: Database<ImageTables>,
  bootingNodes: BootingNodes,
  image: NamedImage,
  user: string,
): Promise<void> {
  const { owner, name } = image;
  const nodes = await bootingNodes.of(t, image);
  if (nodes.length > 0) {
    throw new UserError(
      'CONFLICT',
      `Image "${owner}/${name}" is in use by ${nodes.join(', ')}.`,
      'Boot another image on these nodes first, with: walt node boot NODES IMAGE',
    );
  }
  await requireNoSession(t, image);
  const current = await t
    .deleteFrom('image')
    .where('owner', '=', owner)
    .where('name', '=', name)
    .returning('digest')
    .executeTakeFirst();
  if (!current) throw gone(image);
  await t
    .insertInto('image_history')
    .values(history(image, null, current.digest, { user, action: 'remove' }, seconds()))
    .execute();
}
