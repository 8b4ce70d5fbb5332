import { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Config,
  type Database,
  hostNetwork,
  isUserError,
  type Log,
  openDatabase,
  openPostgres,
  type PostgresAccess,
  platformPaths,
  streamProgram,
  UserError,
} from '../../platform/index.ts';
import { type LogTables, logTables } from './tables.ts';

/** Where lines are kept: a file of SQLite, or a database of PostgreSQL. */
export type LogPlace = { file: string } | PostgresAccess;

/** Where a configuration has them. Hosts are reached by the host's network, not by walt-net. */
export function logPlace(config: Config): LogPlace {
  const { database: place, passwordFile } = config.logs;
  if (!place) return { file: platformPaths(config).logDatabase };
  const reach = (host: string, port: number) => {
    const address = host.includes(':') ? `[${host}]` : host;
    const relay = streamProgram(
      hostNetwork(config, ['socat', 'STDIO', `TCP:${address}:${port},nodelay,keepalive`]),
      {
        stdin: 'pipe',
      },
    );
    // Its types want streams of the web here.
    const { stdout: readable, stdin: writable } = relay as unknown as Record<'stdout' | 'stdin', never>;
    return Duplex.from({ readable, writable });
  };
  return { place, passwordFile, reach };
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
  #isLost: () => boolean = () => false;
  #keeping: Promise<void> | undefined;
  #reason: unknown;

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
      const database = await openDatabase(place.file, logTables);
      await began(database);
      connection.#database = database;
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

  async close(): Promise<void> {
    this.#end.abort();
    if (this.#keeping) await this.#keeping;
    else await this.#database?.destroy();
  }

  async #keep(access: PostgresAccess, tried: () => void): Promise<void> {
    const { signal } = this.#end;
    for (; !signal.aborted; tried()) {
      try {
        const { database, lost, isLost, close } = await openPostgres(access, logTables);
        await using _session = { [Symbol.asyncDispose]: close };
        signal.addEventListener('abort', close, { once: true });
        await this.#began(database);
        if (signal.aborted) return;
        this.#database = database;
        this.#isLost = isLost;
        this.#reason = undefined;
        this.#log.info('the database of lines is there', { host: access.place.host });
        this.#returned();
        tried();
        await lost;
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
