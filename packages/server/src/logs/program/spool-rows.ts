/** Rows of spools, and of the clocks of who sent them: how far what nodes and consoles tell is stored. */
import { type Insertable, type RawBuilder, sql } from 'kysely';
import type { Database } from '../../platform/index.ts';
import { seconds } from './chunk-rows.ts';
import type { Clock } from './clock.ts';
import type { ClockRow, LogTables, ReceivedRow } from './tables.ts';

/** Seconds after which a node that is back sends a spool as a new one. */
const STAY = 30 * 86_400;
/** What consoles printed lies in files, which may wait for longer: their spools go when there is a newer one. */
const OF_CONSOLES = 'console.%';
/** Spools of an issuer that are known, and as many of its consoles: a node has some sixteen, and may make up any number. */
const MAX_SPOOLS = 200;

/** Bytes of a spool that are stored. */
export async function reachedOf(db: Database<LogTables>, issuer: string, spool: string): Promise<number> {
  const row = await db
    .selectFrom('log_received')
    .select('reached')
    .where('issuer', '=', issuer)
    .where('spool', '=', spool)
    .executeTakeFirst();
  return row?.reached ?? 0;
}

/** What is known of the clock of an issuer. */
export async function clockOf(db: Database<LogTables>, issuer: string): Promise<Clock | undefined> {
  return await db
    .selectFrom('log_clock')
    .select(['boot', 'least', 'since', 'earlier', 'sent', 'told'])
    .where('issuer', '=', issuer)
    .executeTakeFirst();
}

/** How far spools are stored, and by which clocks. */
export async function noteReceived(
  t: Database<LogTables>,
  received: readonly Insertable<ReceivedRow>[],
  clocks: readonly Insertable<ClockRow>[],
): Promise<void> {
  if (received.length > 0) {
    await t
      .insertInto('log_received')
      .values(received)
      .onConflict((c) => c.columns(['issuer', 'spool']).doUpdateSet(newer('reached', 'at')))
      .execute();
  }
  if (clocks.length === 0) return;
  await t
    .insertInto('log_clock')
    .values(clocks)
    .onConflict((c) =>
      c.column('issuer').doUpdateSet(newer('boot', 'least', 'since', 'earlier', 'sent', 'told')),
    )
    .execute();
}

/** Removes those of which an issuer has newer ones enough. */
export async function dropSurplusSpools(db: Database<LogTables>): Promise<void> {
  await sql`delete from log_received where (issuer, spool) in (
    select issuer, spool from (
      select issuer, spool, row_number() over (
        partition by issuer, spool like ${OF_CONSOLES} order by at desc, spool
      ) as place from log_received
    ) as placed where place > ${MAX_SPOOLS})`.execute(db);
}

/** Removes those that nobody sends any more. */
export async function dropSpools(db: Database<LogTables>): Promise<void> {
  const before = seconds() - STAY;
  await db
    .deleteFrom('log_received')
    .where('at', '<', before)
    .where((eb) =>
      eb.or([
        eb('spool', 'not like', OF_CONSOLES),
        eb.exists(
          eb
            .selectFrom('log_received as newer')
            .select('newer.spool')
            .whereRef('newer.issuer', '=', 'log_received.issuer')
            .whereRef('newer.at', '>', 'log_received.at')
            .where('newer.spool', 'like', OF_CONSOLES),
        ),
      ]),
    )
    .execute();
}

/** For rows that are there already: what these columns would get as a new row. */
function newer<Column extends string>(...columns: Column[]) {
  return Object.fromEntries(columns.map((column) => [column, sql.ref(`excluded.${column}`)])) as Record<
    Column,
    RawBuilder<never>
  >;
}
