import type { NamedImage } from '@walt/contract';
import type { Database } from '../../platform/index.ts';
import type { BootingNodes } from './booting-nodes.ts';
import { DISPLACED, gone, history, seconds, taken } from './catalogue-rows.ts';
import { pointer } from './pointers.ts';
import { renameSharing } from './sharing.ts';
import type { ImageTables } from './tables.ts';

/** In a transaction: gives an image another name. What has its name follows: nodes, sessions, history. Throws as `Catalogue.rename`. */
export async function rename(
  t: Database<ImageTables>,
  nodes: BootingNodes,
  image: NamedImage,
  newName: string,
  user: string,
): Promise<void> {
  const { owner, name } = image;
  const now = seconds();
  const current = await pointer(t, image);
  if (current === undefined) throw gone(image);
  if (await pointer(t, { owner, name: newName })) throw taken({ owner, name: newName });
  await t
    .updateTable('image')
    .set({ name: newName, changed: now })
    .where('owner', '=', owner)
    .where('name', '=', name)
    .execute();
  await nodes.follow(t, image, newName);
  await t
    .updateTable('shell_session')
    .set({ name: newName })
    .where('owner', '=', owner)
    .where('name', '=', name)
    .execute();
  await renameSharing(t, image, newName);
  // The history of an image that had the new name, and was removed, makes room.
  await renameHistory(t, { owner, name: newName }, `${newName}${DISPLACED}${now}`);
  await renameHistory(t, image, newName);
  const detail = `${name} → ${newName}`;
  await t
    .insertInto('image_history')
    .values(history({ owner, name: newName }, current, current, { user, action: 'rename', detail }, now))
    .execute();
}

async function renameHistory(
  t: Database<ImageTables>,
  { owner, name }: NamedImage,
  newName: string,
): Promise<void> {
  await t
    .updateTable('image_history')
    .set({ name: newName })
    .where('owner', '=', owner)
    .where('name', '=', name)
    .execute();
}
