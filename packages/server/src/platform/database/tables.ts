/** Sets of tables, one of each domain, and how they become one database. Types of columns are portable: text and integers only. */
import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** One row: which platform this is. */
export interface PlatformTable {
  /** 32 hexadecimal digits, also in `paths.identity`: a database that does not fit its state folder is refused. */
  id: string;
  /** Unix time in seconds. */
  created: number;
  /** Unix time in seconds before which nothing is deleted because no row names it. */
  collect_after: number;
}

export interface PlatformTables {
  platform: PlatformTable;
}

/** A database, or a transaction of it, with these tables. */
export type Database<Tables> = Kysely<Tables>;

/** The same, as domains hand it to each other: each sees only its own tables there (`tablesOf`). */
export type AnyDatabase = Pick<Kysely<unknown>, 'isTransaction'>;

/** The same database, with the tables of a domain, which it must have been opened with. */
export function tablesOf<Tables>(database: AnyDatabase): Database<Tables> {
  return database as Database<Tables>;
}

/** What a domain declares of its tables. */
export interface TableSet<Tables> {
  /**
   * By name, in whose order they run; those of one name in the order of the domains. One that was released is never edited or
   * renamed: a later one changes what it made.
   */
  readonly migrations: Readonly<Record<string, Migrate>>;
  /** Tables whose rows describe a copy of the database to people, by what they are called. */
  readonly counted?: Readonly<Record<string, keyof Tables & string>>;
  /** Tables whose numbers name what lies outside the database: no number is given twice, not even after a restoration. */
  readonly numbering?: readonly (keyof Tables & string)[];
}

type Migrate = (db: Kysely<unknown>) => Promise<void>;

/** The tables of several domains as one set. */
export function together<A, B, C, D, E>(
  ...sets: readonly [TableSet<A>, TableSet<B>, TableSet<C>, TableSet<D>, TableSet<E>]
): TableSet<A & B & C & D & E> {
  const [a, b, c, d, e] = sets;
  return {
    migrations: inTurn(sets),
    counted: { ...a.counted, ...b.counted, ...c.counted, ...d.counted, ...e.counted },
    numbering: [a, b, c, d, e].flatMap(
      ({ numbering }): readonly (keyof (A & B & C & D & E) & string)[] => numbering ?? [],
    ),
  };
}

/** All migrations of a database that has these tables. */
export function migrationsOf(tables: Pick<TableSet<never>, 'migrations'>): Record<string, Migration> {
  const all = Object.entries(inTurn([platformTables, tables]));
  return Object.fromEntries(all.map(([name, up]) => [name, { up }]));
}

function inTurn(sets: readonly Pick<TableSet<never>, 'migrations'>[]): Record<string, Migrate> {
  const names = new Set(sets.flatMap(({ migrations }) => Object.keys(migrations)));
  const migrate = (name: string) => async (db: Kysely<unknown>) => {
    for (const { migrations } of sets) await migrations[name]?.(db);
  };
  return Object.fromEntries([...names].map((name) => [name, migrate(name)]));
}

async function platform(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('platform')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('created', 'integer', (c) => c.notNull())
    .addColumn('collect_after', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  const row = {
    id: randomBytes(16).toString('hex'),
    created: Math.floor(Date.now() / 1000),
    collect_after: 0,
  };
  await tablesOf<PlatformTables>(db).insertInto('platform').values(row).execute();
}

const platformTables: TableSet<PlatformTables> = { migrations: { '0040-platform': platform } };
