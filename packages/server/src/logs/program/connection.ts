import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import {
  copyOpenDatabase,
  type Database,
  isUserError,
  type Log,
  openDatabase,
  openPostgres,
  openSpareRoom,
  openSqliteDatabase,
  type PostgresAccess,
  UserError,
} from '../../platform/index.ts';
import { seconds } from './chunk-rows.ts';
import { type LogTables, logTables } from './tables.ts';

/** Where lines are kept: a file of SQLite, or a database of PostgreSQL. `opened` is called when it is open for the first time. */
export type LogPlace = ({ file: string } | PostgresAccess) & { opened?: (() => Promise<void>) | undefined };

export interface Outage {
  since: number;
  reason: string;
}

/** Milliseconds between two tries to reach a database that is away. */
const RETRY = 500;
/** Milliseconds for which the first one is waited for. */
const FIRST = 2000;

/** The database of lines. That of PostgreSQL may be away, and comes back. */
export class LogConnection {
  readonly #log: Log;
  readonly #began: (database: Database<LogTables>) => Promise<void>;
  readonly #returned: () => void;
  /** Ends what keeps a connection to PostgreSQL. */
  readonly #end = new AbortController();
  #database: Database<LogTables> | undefined;
  /** Of a file. */
  #sqlite: DatabaseSync | undefined;
  #isLost: () => boolean = () => false;
  #keeping: Promise<void> | undefined;
  #reason: unknown;
  /** Unix time in seconds. */
  #awaySince = seconds();

  /**
   * `began` is called with each new connection, before it is anybody's, `returned` when it is. Throws UserError where a file cannot be opened; a database
   * of PostgreSQL is tried once, then again until it is there.
   */
  static async open(
    place: LogPlace,
    log: Log,
    began: (database: Database<LogTables>) => Promise<void>,
    returned: () => void,
  ): Promise<LogConnection> {
    const connection = new LogConnection(log, began, returned);
    if ('file' in place) {
      const { database, sqlite } = await openSqliteDatabase(place.file, logTables);
      openSpareRoom(sqlite, log);
      await began(database);
      await place.opened?.();
      connection.#database = database;
      connection.#sqlite = sqlite;
    } else {
      const tried = Promise.withResolvers<void>();
      connection.#keeping = connection.#keep(place, tried.resolve);
      await Promise.race([tried.promise, delay(FIRST, undefined, { ref: false })]);
    }
    return connection;
  }

  private constructor(
    log: Log,
    began: (database: Database<LogTables>) => Promise<void>,
    returned: () => void,
  ) {
    this.#log = log;
    this.#began = began;
    this.#returned = returned;
  }

  /** Throws UserError UNAVAILABLE while it is away. */
  get database(): Database<LogTables> {
    if (this.#database && !this.#isLost()) return this.#database;
    if (isUserError(this.#reason)) throw this.#reason;
    throw new UserError(
      'UNAVAILABLE',
      'The database of lines is away.',
      'Repeat the command in some seconds.',
    );
  }

  /** Whether it is away just now. */
  get away(): boolean {
    return this.#database === undefined || this.#isLost();
  }

  /** Since when it is away, in Unix seconds, and why; undefined while it is there. */
  get outage(): Outage | undefined {
    if (!this.away) return undefined;
    const reason = isUserError(this.#reason) ? this.#reason.message : 'the connection ended';
    return { since: this.#awaySince, reason };
  }

  async copy(to: string): Promise<boolean> {
    if (!this.#sqlite) return false;
    await copyOpenDatabase(this.#sqlite, to);
    return true;
  }

  async close(): Promise<void> {
    this.#end.abort();
    if (this.#keeping) await this.#keeping;
    else await this.#database?.destroy();
  }

  async #keep(place: PostgresAccess & Pick<LogPlace, 'opened'>, tried: () => void): Promise<void> {
    const { signal } = this.#end;
    for (; !signal.aborted; tried()) {
      try {
        const { database, lost, isLost, close } = await openPostgres(place, logTables);
        await using _session = { [Symbol.asyncDispose]: close };
        signal.addEventListener('abort', close, { once: true });
        await this.#began(database);
        await place.opened?.();
        if (signal.aborted) return;
        this.#database = database;
        this.#isLost = isLost;
        this.#reason = undefined;
        this.#log.info('the database of lines is there', { host: place.place.host });
        this.#returned();
        tried();
        await lost;
        this.#awaySince = seconds();
        this.#database = undefined;
        signal.removeEventListener('abort', close);
      } catch (error) {
        this.#tell(error);
        await delay(RETRY, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Each reason once. */
  #tell(error: unknown): void {
    if (String(error) === String(this.#reason)) return;
    this.#reason = error;
    this.#log.error('the database of lines is away', { reason: String(error) });
  }
}

/** For one task, without waiting for it. Throws UserError. */
export async function openPlace(
  place: LogPlace,
): Promise<{ database: Database<LogTables>; close(): Promise<void> }> {
  if (!('file' in place)) return await openPostgres(place, logTables);
  const database = await openDatabase(place.file, logTables);
  return { database, close: () => database.destroy() };
}
