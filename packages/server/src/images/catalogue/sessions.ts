/** Rows of shell sessions. */
import type { NamedImage } from '@walt/contract';
import type { Selectable } from 'kysely';
import { type Database, UserError } from '../../platform/index.ts';
import { gone } from './catalogue-rows.ts';
import { pointer } from './pointers.ts';
import type { ImageTables, ShellSessionTable } from './tables.ts';

export type SessionRow = Selectable<ShellSessionTable>;

/** Throws UserError CONFLICT when that user has a session on that image, NOT_FOUND when the image is gone. */
export async function addSession(database: Database<ImageTables>, row: SessionRow): Promise<void> {
  const added = await database.transaction().execute(async (t) => {
    // What nobody needed any more may have gone since somebody looked.
    const there = await t
      .selectFrom('image_digest')
      .select('digest')
      .where('digest', '=', row.digest)
      .executeTakeFirst();
    if ((await pointer(t, row)) === undefined || !there) throw gone(row);
    return t
      .insertInto('shell_session')
      .values(row)
      .onConflict((c) => c.columns(['user', 'owner', 'name']).doNothing())
      .returning('id')
      .executeTakeFirst();
  });
  if (added) return;
  throw new UserError(
    'CONFLICT',
    `You have a shell session on image "${row.owner}/${row.name}" already.`,
    'Resume it, or save or discard it first.',
  );
}

export async function removeSession(database: Database<ImageTables>, id: string): Promise<void> {
  await database.deleteFrom('shell_session').where('id', '=', id).execute();
}

/** Throws UserError CONFLICT while somebody has a session on an image. */
export async function requireNoSession(
  database: Database<ImageTables>,
  { owner, name }: NamedImage,
): Promise<void> {
  const session = await database
    .selectFrom('shell_session')
    .select('user')
    .where('owner', '=', owner)
    .where('name', '=', name)
    .executeTakeFirst();
  if (!session) return;
  throw new UserError(
    'CONFLICT',
    `${session.user} has a shell session on image "${owner}/${name}".`,
    `Save or discard it first, with: walt image shell ${name}`,
  );
}
