/** What is known of layers: how large they are, and by which move of a name they came. */
import type { Database } from '../../platform/index.ts';
import type { Move } from './catalogue-rows.ts';
import type { ImageTables } from './tables.ts';

export interface LayerSize {
  diffId: string;
  /** Bytes, unpacked; null: not known. */
  size: number | null;
  /** Bytes of its volume; null: not known. */
  volume: number | null;
}

export interface LayerRecord extends LayerSize {
  /** The move of a name with which it came; null: not known. */
  made: { action: string; user: string; at: number; detail: string } | null;
}

const NEW = { size: null, volume: null, action: null, user: null, at: null, detail: null };

export async function noteLayers(
  database: Database<ImageTables>,
  sizes: readonly LayerSize[],
): Promise<void> {
  for (const { diffId, size, volume } of sizes) {
    await database
      .insertInto('image_layer')
      .values({ ...NEW, diff_id: diffId, size, volume })
      .onConflict((c) => c.column('diff_id').doUpdateSet({ size, volume }))
      .execute();
  }
}

/** Marks the layers that no move of a name has brought yet as brought by this one. Answers their bytes; null: not known. */
export async function claimLayers(
  database: Database<ImageTables>,
  diffIds: readonly string[],
  move: Move,
  at: number,
): Promise<number | null> {
  const { action, user, detail = '' } = move;
  let bytes: number | null = 0;
  for (const diffId of new Set(diffIds)) {
    await database
      .insertInto('image_layer')
      .values({ ...NEW, diff_id: diffId })
      .onConflict((c) => c.doNothing())
      .execute();
    const claimed = await database
      .updateTable('image_layer')
      .set({ action, user, at, detail })
      .where('diff_id', '=', diffId)
      .where('action', 'is', null)
      .returning('size')
      .executeTakeFirst();
    if (claimed) bytes = bytes === null || claimed.size === null ? null : bytes + claimed.size;
  }
  return bytes;
}

export async function readLayers(
  database: Database<ImageTables>,
  diffIds?: readonly string[],
): Promise<Map<string, LayerRecord>> {
  let query = database.selectFrom('image_layer').selectAll();
  if (diffIds) query = query.where('diff_id', 'in', diffIds);
  const rows = await query.execute();
  return new Map(
    rows.map(({ diff_id: diffId, size, volume, action, user, at, detail }) => [
      diffId,
      {
        diffId,
        size,
        volume,
        made: action && user !== null && at !== null ? { action, user, at, detail: detail ?? '' } : null,
      },
    ]),
  );
}
