/** A copy of what is here to several nodes at the same time. */
import type { Connection } from '@walt/client/connection';
import { describeFailure } from '../../errors.ts';
import { openDoor } from '../../ssh/door.ts';
import { mapPool } from '../../ssh/pool.ts';
import { prefixedLines } from '../../ssh/run-output.ts';
import { nameList } from '../../terminal/human.ts';
import { openDisplay } from '../../terminal/progress.ts';
import type { Paint } from '../../terminal/style.ts';
import { renderTable } from '../../terminal/table.ts';
import { terminalText } from '../../terminal/visible.ts';
import { kindHere, leftOut, sendTo } from './copy.ts';

/** As many at once: each reads the files, and sends them, for itself. */
export const PARALLEL_COPIES = 16;

export interface NodeCopy {
  node: string;
  /** Null: it is there as a whole. */
  error: { code: string; message: string; hint: string } | null;
}

/** What fails on one node does not keep it from the others. Throws AbortError when `source` is not there. */
export async function copyToNodes(
  connection: Connection,
  source: string,
  { nodes, path, parallel }: { nodes: readonly string[]; path: string; parallel: number },
): Promise<NodeCopy[]> {
  const kind = await kindHere(source);
  using display = openDisplay();
  const sinks = prefixedLines(nodes);
  const skipped = new Set<string>();
  let done = 0;
  const show = () => {
    const step = `Copying ${source} to ${nameList(nodes)}`;
    display.show({ type: 'progress', step, done, total: nodes.length, unit: 'nodes' });
  };
  show();
  return await mapPool(nodes, parallel, async (node) => {
    const onComplaint = (line: string) => sinks.line(node, 'stderr', terminalText(line));
    await using door = await openDoor(connection, node, onComplaint);
    const onSkipped = (file: string) => {
      if (!skipped.has(file)) leftOut(file);
      skipped.add(file);
    };
    try {
      await sendTo({ node, config: door.config, onComplaint }, path, {
        ...{ source, kind, onSkipped },
        onBytes: () => {},
      });
      return { node, error: null };
    } catch (error) {
      const { code, message, hint } = describeFailure(error);
      return { node, error: { code, message, hint } };
    } finally {
      done += 1;
      show();
    }
  });
}

/** A line for each node that has no whole copy; one for all others. */
export function copyTable(copies: readonly NodeCopy[], paint: Paint): string {
  const failed = copies.filter(({ error }) => error !== null);
  const whole = copies.filter(({ error }) => error === null).map(({ node }) => node);
  const rows = [
    ...(whole.length > 0 ? [{ nodes: nameList(whole), result: 'copied' }] : []),
    ...failed.map(({ node, error }) => ({ nodes: node, result: error?.message ?? '' })),
  ];
  return renderTable(
    rows,
    [
      { header: 'NODES', value: ({ nodes }) => nodes },
      { header: 'RESULT', value: ({ result }) => result },
    ],
    paint,
  );
}
