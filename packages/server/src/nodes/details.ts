import type { NodeDetails } from '@walt/contract';
import { type Caller, guestNames } from '../access/index.ts';
import type { Engine } from './engine/index.ts';
import { bootOwnerOf, type NodeGuests } from './ownership/index.ts';
import { knownSize } from './setting-values.ts';
import { settingsOf } from './settings/index.ts';
import type { NodeRow } from './store.ts';
import type { NodeViews } from './views.ts';

interface Deps {
  views: Pick<NodeViews, 'withPower'>;
  machines: Pick<Engine, 'diskUse'>;
  guests: Pick<NodeGuests, 'of'>;
}

/** Nodes told whole: what is set, what was served, what is there on the server. */
export async function detailsOf(
  rows: readonly NodeRow[],
  caller: Caller,
  deps: Deps,
): Promise<NodeDetails[]> {
  const nodes = await deps.views.withPower(rows, caller);
  const guests = await deps.guests.of(rows.map(({ id }) => id));
  return await Promise.all(
    rows.map(async (row, index): Promise<NodeDetails[]> => {
      const node = nodes[index];
      if (!node) return [];
      return [
        {
          ...node,
          created: row.created,
          digest: row.digest,
          served: servedOf(row),
          bootOwner: bootOwnerOf(row),
          guests: guestNames(guests.get(row.id) ?? []),
          settings: settingsOf(row),
          disks: await disksOf(row, deps.machines),
        },
      ];
    }),
  ).then((found) => found.flat());
}

function servedOf({ served_digest: digest, served_at: at }: NodeRow): NodeDetails['served'] {
  return digest === null || at === null ? null : { digest, at };
}

async function disksOf(row: NodeRow, machines: Deps['machines']): Promise<NodeDetails['disks']> {
  if (row.type !== 'virtual') return [];
  const { disks = [] } = knownSize(row) ?? {};
  const used = await machines.diskUse(row.id, disks);
  return disks.map((disk, index) => ({ ...disk, used: used[index] ?? null }));
}
