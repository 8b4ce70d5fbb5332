/** PostgreSQL. Owns `pg`. */
import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Kysely, PostgresAdapter, PostgresDialect, type PostgresPoolClient } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { UserError } from '../errors.ts';
import type { PostgresPlace } from '../postgres-config.ts';
import { readSecretFile } from '../secret-file.ts';
import { away, endsSession, explained } from './postgres-errors.ts';
import { type AnyDatabase, type Database, migrationsOf, type TableSet } from './tables.ts';

/** Milliseconds for a connection to stand, and for an answer: a server that is away without a word is given up then. */
const CONNECT_LIMIT = 10_000;
const ANSWER_LIMIT = 120_000;
/** Milliseconds for its end to be heard of. */
const END_LIMIT = 5000;
/** Milliseconds of silence after which a connection is probed. */
const PROBE = 10_000;
/** Milliseconds for another session to end; SQLSTATE when it has not. */
const LOCK_LIMIT = 5000;
const LOCK_NOT_AVAILABLE = '55P03';
/** Key of the advisory lock (PostgreSQL's manual, 13.3.5) of who works with a database: any number that nobody else takes. */
const LOCK = 7_239_581_026_411;

export interface PostgresAccess {
  place: PostgresPlace;
  passwordFile: string | undefined;
  /** A stream to a host's port from where it can be reached. Absent: from here. */
  reach?: ((host: string, port: number) => Duplex) | undefined;
}

export interface PostgresSession<Tables> {
  database: Database<Tables>;
  /** Resolves when its connection is gone; then it never works again. */
  lost: Promise<void>;
  /** Whether it is, also before all who wait have heard of it. */
  isLost(): boolean;
  /** Instead of the database's own `destroy`, after which Kysely leaves those waiting who had not begun. */
  close(): Promise<void>;
}

/**
 * Opens a session, which has the database alone until it ends, and brings these tables up to date. A commit is on disk when it returns.
 * Throws UserError UNAVAILABLE while that cannot be, and so does all that is done in it once it is lost. What a transaction that was
 * being committed then has become is known to the next session: it does not begin before this one has ended on the server, too.
 */
export async function openPostgres<Tables>(
  access: PostgresAccess,
  tables: TableSet<Tables>,
): Promise<PostgresSession<Tables>> {
  const connection = await Connection.open(access);
  const database: Database<Tables> = new Kysely({ dialect: new Dialect(connection) });
  try {
    const provider = { getMigrations: async () => migrationsOf(tables) };
    const { error } = await new Migrator({ db: database, provider }).migrateToLatest();
    if (error) throw error;
  } catch (error) {
    await connection.end();
    throw explained(error, access.place);
  }
  return {
    ...{ database, lost: connection.lost },
    isLost: () => connection.isLost,
    close: () => connection.end(),
  };
}

/** Whether it is PostgreSQL, of which a few things are said differently. */
export function isPostgres(database: AnyDatabase): boolean {
  return (database as Database<unknown>).getExecutor().adapter instanceof PostgresAdapter;
}

class Adapter extends PostgresAdapter {
  override get supportsMultipleConnections() {
    return false;
  }
  // The session has the database alone.
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}

class Dialect extends PostgresDialect {
  constructor(connection: Connection) {
    super({
      pool: {
        options: {},
        connect: async () => connection as unknown as PostgresPoolClient,
        end: () => connection.end(),
      },
    });
  }

  override createAdapter() {
    return new Adapter();
  }
}

type Result = { command: 'SELECT'; rowCount: number; rows: never[] };

/** Kysely's view of the one client. */
class Connection {
  readonly #client: pg.Client;
  readonly #place: PostgresPlace;
  readonly #stream: Duplex;
  readonly #gone = Promise.withResolvers<void>();
  isLost = false;
  #ending = false;

  static async open({ place, passwordFile, reach }: PostgresAccess): Promise<Connection> {
    const { host, port, user, database, tls, ca } = place;
    const stream = reach && !host.startsWith('/') ? asSocket(reach(host, port)) : new Socket();
    const ssl = {
      ...{ rejectUnauthorized: tls === 'verify-full', ca: ca === undefined ? undefined : await readFile(ca) },
    };
    const client = new pg.Client({
      ...{ host, port, user, database, keepAlive: true, keepAliveInitialDelayMillis: PROBE },
      ...{ connectionTimeoutMillis: CONNECT_LIMIT, application_name: 'walt-logs', types: { getTypeParser } },
      ssl: tls === 'disable' ? false : ssl,
      ...(passwordFile === undefined ? {} : { password: () => secretIn(passwordFile) }),
      stream: () => stream,
    });
    const connection = new Connection(client, place, stream);
    try {
      await client.connect();
      await connection.#begin();
      return connection;
    } catch (error) {
      await connection.end();
      throw error instanceof UserError ? error : explained(error, place);
    }
  }

  private constructor(client: pg.Client, place: PostgresPlace, stream: Duplex) {
    this.#client = client;
    this.#place = place;
    this.#stream = stream;
    client.once('end', () => this.#lose());
    client.on('error', () => this.#lose());
  }

  /** Resolves when it is gone. */
  get lost(): Promise<void> {
    return this.#gone.promise;
  }

  #lose(): void {
    this.isLost = true;
    // What was asked fails by that.
    this.#stream.destroy();
    this.#gone.resolve();
  }

  async #begin(): Promise<void> {
    await this.query('set synchronous_commit = on');
    await this.query('set statement_timeout = 0');
    // A server that cannot reach us any more gives the lock back; of no meaning for a Unix socket.
    await this.query('set tcp_keepalives_idle = 10');
    await this.query('set tcp_keepalives_interval = 5');
    await this.query('set tcp_keepalives_count = 4');
    await this.query('set tcp_user_timeout = 30000');
    // One that was killed just now may still end a statement there.
    await this.query(`set lock_timeout = ${LOCK_LIMIT}`);
    await this.query('select pg_advisory_lock($1)', [LOCK]).catch((error: UserError) => {
      const { code } = (error.cause ?? error) as { code?: string };
      throw code === LOCK_NOT_AVAILABLE ? away(this.#place, 'another program works with it') : error;
    });
    await this.query('set lock_timeout = 0');
  }

  readonly query = async <Row>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<Result & { rows: Row[] }> => {
    const silent = setTimeout(
      () => this.#stream.destroy(new Error(`no answer for ${ANSWER_LIMIT / 1000} s`)),
      ANSWER_LIMIT,
    );
    try {
      return (await this.#client.query(text, [...values])) as unknown as Result & { rows: Row[] };
    } catch (error) {
      if (endsSession(error)) this.#lose();
      throw explained(error, this.#place);
    } finally {
      clearTimeout(silent);
    }
  };

  release(): void {}

  async end(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const limit = setTimeout(() => this.#stream.destroy(), END_LIMIT);
    await this.#client.end().catch(() => {});
    clearTimeout(limit);
    this.#stream.destroy();
  }
}

async function secretIn(path: string): Promise<string> {
  const found = await readSecretFile(path);
  if ('secret' in found) return found.secret;
  throw new UserError(
    'UNAVAILABLE',
    `The password file ${path} ${found.wrong}.`,
    `Write the password for PostgreSQL into it, then: chmod 600 ${path}`,
  );
}

/** `bigint`: what we store in one is a safe integer. */
const INT8 = 20;

const getTypeParser: typeof pg.types.getTypeParser = (type: number, ...rest: []) =>
  type === INT8 ? Number : pg.types.getTypeParser(type, ...rest);

/** With what `pg` calls of a socket. */
function asSocket(stream: Duplex): Duplex {
  const connect = () => {
    process.nextTick(() => stream.emit('connect'));
    return stream;
  };
  return Object.assign(stream, {
    connect,
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    ref: () => stream,
    unref: () => stream,
  });
}
