import type { NamedImage } from '@walt/contract';
import type { Database, Retention } from '../../platform/index.ts';
import type { DigestRecord } from '../types.ts';
import type { BootingNodes } from './booting-nodes.ts';
import { seconds, toRecord } from './catalogue-rows.ts';
import { retained } from './lineage.ts';
import type { ImageTables } from './tables.ts';

export interface Keeping {
  /** Seconds for which a version stays in any case: a node may be about to boot what its image was a moment ago. */
  grace: number;
  retention: Retention;
  /** An image whose history is to keep nothing any more, whatever the settings. */
  giveUp?: NamedImage | undefined;
}

/**
 * Tells apart the digests that somebody needs: a name, a session, a node that runs it, `keep`, or history (`retained`);
 * and those that nobody does.
 */
export async function findNeedless(
  database: Database<ImageTables>,
  bootingNodes: BootingNodes,
  keep: ReadonlySet<string>,
  { grace, retention, giveUp }: Keeping,
): Promise<{ needless: DigestRecord[]; needed: DigestRecord[] }> {
  const [names, sessions, nodes, steps, rows] = await Promise.all([
    database.selectFrom('image').select('digest').execute(),
    database.selectFrom('shell_session').select('digest').execute(),
    bootingNodes.served(database),
    database
      .selectFrom('image_history')
      .select(['owner', 'name', 'digest', 'previous', 'at', 'given_up'])
      .orderBy('id', 'desc')
      .execute(),
    database.selectFrom('image_digest').selectAll().execute(),
  ]);
  const used = new Set([...[...names, ...sessions].map(({ digest }) => digest), ...nodes]);
  const counted = steps.map((step) =>
    step.owner === giveUp?.owner && step.name === giveUp.name ? { ...step, given_up: 1 } : step,
  );
  const history = retained(counted, retention, grace, seconds());
  const isNeeded = ({ digest }: DigestRecord) => used.has(digest) || history.has(digest) || keep.has(digest);
  const { needed = [], needless = [] } = Object.groupBy(rows.map(toRecord), (record) =>
    isNeeded(record) ? 'needed' : 'needless',
  );
  return { needed, needless };
}

/** Forgets in a transaction what `findNeedless` finds, and what is to be given up, for good. Answers which digests. */
export async function forgetNeedless(
  t: Database<ImageTables>,
  bootingNodes: BootingNodes,
  keep: ReadonlySet<string>,
  keeping: Keeping,
): Promise<DigestRecord[]> {
  const { giveUp } = keeping;
  const { needless, needed } = await findNeedless(t, bootingNodes, keep, keeping);
  if (giveUp) {
    await t
      .updateTable('image_history')
      .set({ given_up: 1 })
      .where('owner', '=', giveUp.owner)
      .where('name', '=', giveUp.name)
      .execute();
  }
  const layers = new Set(needless.flatMap((record) => record.layers));
  const gone = layers.difference(new Set(needed.flatMap((record) => record.layers)));
  for (const { digest } of needless) {
    await t.deleteFrom('image_digest').where('digest', '=', digest).execute();
  }
  for (const diffId of gone) await t.deleteFrom('image_layer').where('diff_id', '=', diffId).execute();
  return needless;
}
