import type { BootingNodes } from '../images/index.ts';
import { tablesOf } from '../platform/index.ts';
import type { NodeTables } from './tables.ts';

/** What images ask about nodes. */
export const bootingNodes: BootingNodes = {
  async of(database, { owner, name }) {
    const rows = await tablesOf<NodeTables>(database)
      .selectFrom('node')
      .select('name')
      .where('image_owner', '=', owner)
      .where('image_name', '=', name)
      .orderBy('name')
      .execute();
    return rows.map((node) => node.name);
  },

  async follow(database, { owner, name }, newName) {
    await tablesOf<NodeTables>(database)
      .updateTable('node')
      .set({ image_name: newName })
      .where('image_owner', '=', owner)
      .where('image_name', '=', name)
      .execute();
  },

  async served(database) {
    const rows = await tablesOf<NodeTables>(database)
      .selectFrom('node')
      .select('served_digest as digest')
      .where('served_digest', 'is not', null)
      .$narrowType<{ digest: string }>()
      .execute();
    return rows.map(({ digest }) => digest);
  },
};
