import { BOOTS_KEPT, type BootCause } from '@walt/contract';
import type { Database } from '../../platform/index.ts';
import type { NodeTables } from '../tables.ts';
import { type BootRow, causeOf, goesOn, readRow, type Times } from './boot-row.ts';

type Boots = Database<NodeTables>;

/** Of each of these nodes, the boot that was ordered and has not begun, and the last one that was served. */
export async function newestOf(boots: Boots, ids: readonly number[]) {
  const rows = await boots
    .selectFrom('node_boot')
    .selectAll()
    .where('id', 'in', (query) =>
      query
        .selectFrom('node_boot')
        .select(({ fn }) => fn.max('id').as('id'))
        .where('node', 'in', ids)
        .groupBy(['node', (e) => e('digest', 'is', null)]),
    )
    .execute();
  const found = new Map<number, { ordered?: BootRow; served?: BootRow }>();
  for (const row of rows.map(readRow)) {
    const known = found.get(row.node) ?? {};
    found.set(row.node, { ...known, [row.digest === null ? 'ordered' : 'served']: row });
  }
  return found;
}

/** Newest first. */
export async function bootsOf(boots: Boots, node: number, count: number): Promise<BootRow[]> {
  const rows = await boots
    .selectFrom('node_boot')
    .selectAll()
    .where('node', '=', node)
    .orderBy('id', 'desc')
    .limit(count)
    .execute();
  return rows.map(readRow);
}

/** Notes that these nodes are to boot, as their rows of `node` say now. It takes the place of what was ordered and has not begun. */
export async function expectBoots(
  boots: Boots,
  ids: readonly number[],
  { cause, user, began }: { cause: BootCause; user: string | null; began: number },
): Promise<void> {
  await boots.deleteFrom('node_boot').where('node', 'in', ids).where('digest', 'is', null).execute();
  await boots
    .insertInto('node_boot')
    .columns(['node', 'generation', 'cause', 'user', 'attempt', 'began', 'steps'])
    .expression((query) =>
      query
        .selectFrom('node')
        .where('id', 'in', ids)
        .select((e) => [
          'id',
          'generation',
          e.val(cause).as('cause'),
          e.val(user).as('user'),
          e.val(1).as('attempt'),
          e.val(began).as('began'),
          e.val('{}').as('steps'),
        ]),
    )
    .execute();
}

interface Served {
  node: number;
  generation: number;
  image: string;
  digest: string;
}

/** Notes that a node was given its boot, at `now`: when its firmware asked, and before that for its address, or when its kernel did. */
export async function beginBoot(
  boots: Boots,
  served: Served,
  { dhcp, ...asked }: Times,
  now: number,
): Promise<void> {
  const { ordered, served: last } = (await newestOf(boots, [served.node])).get(served.node) ?? {};
  if (!ordered && last && goesOn(last, served, now)) return;
  const since = Math.max(ordered?.began ?? 0, ...Object.values(last?.times ?? {}));
  // A machine can ask in the very millisecond of what came before.
  const isOfThisBoot = dhcp !== undefined && dhcp >= since && dhcp !== last?.times.dhcp;
  const times = { ...ordered?.times, ...(isOfThisBoot && { dhcp }), ...asked };
  const goesOnTrying = last?.generation === served.generation && last.times.booted === undefined;
  const attempt = goesOnTrying ? last.attempt + 1 : 1;
  const known = { ...served, attempt, steps: JSON.stringify(times), failure: null };
  if (ordered) {
    await boots.updateTable('node_boot').set(known).where('id', '=', ordered.id).execute();
  } else {
    const began = isOfThisBoot ? dhcp : now;
    await boots
      .insertInto('node_boot')
      .values({ ...known, cause: causeOf(last), began })
      .execute();
  }
  await boots
    .deleteFrom('node_boot')
    .where('node', '=', served.node)
    .where('id', '<=', (query) =>
      query
        .selectFrom('node_boot')
        .select('id')
        .where('node', '=', served.node)
        .orderBy('id', 'desc')
        .limit(1)
        .offset(BOOTS_KEPT),
    )
    .execute();
}

/** What a node was to begin by kexec has not begun: its firmware will ask for it. */
export async function leaveToFirmware(boots: Boots, node: number, reason: string): Promise<void> {
  const { ordered, served } = (await newestOf(boots, [node])).get(node) ?? {};
  const isBegun = !ordered && served?.times.kexec !== undefined && served.times.booted === undefined;
  const boot = isBegun ? served : ordered;
  if (!boot) return;
  const { restart } = boot.times;
  await boots
    .updateTable('node_boot')
    .set({
      ...{ no_kexec: reason, steps: JSON.stringify({ restart }) },
      ...{ image: null, digest: null, kernel: null, initramfs: null, platform: null },
    })
    .where('id', '=', boot.id)
    .execute();
}

export async function writeBoot(
  boots: Boots,
  { id, times, kernel, initramfs, platform, failure }: BootRow,
): Promise<void> {
  const steps = JSON.stringify(times);
  await boots
    .updateTable('node_boot')
    .set({ steps, kernel, initramfs, platform, failure: failure && JSON.stringify(failure) })
    .where('id', '=', id)
    .execute();
}
