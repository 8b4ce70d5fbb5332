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
