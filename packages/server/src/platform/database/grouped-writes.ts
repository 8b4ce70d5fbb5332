import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from './tables.ts';

export type GroupedWrites<Tables> = <T>(action: (transaction: Database<Tables>) => Promise<T>) => Promise<T>;

/** Part of a commit. */
interface Write<Tables> {
  /** What it answers, tells who waits. */
  action(transaction: Database<Tables>): Promise<() => void>;
  reject(error: unknown): void;
}

/** Writes of one commit: other work has its turn between two. */
const MOST = 50;

/**
 * Runs transactions, of which those that are asked for at the same time are one commit: a commit waits for the disk, and hundreds of
 * nodes may boot at a time. Each is carried out or not, whatever becomes of the others, and is on disk when it resolves. An action may
 * wait for nothing but this database.
 */
export function groupedWrites<Tables>(database: Database<Tables>): GroupedWrites<Tables> {
  const waiting: Write<Tables>[] = [];
  let isRunning = false;

  async function run(): Promise<void> {
    isRunning = true;
    while (waiting.length > 0) {
      await nextTurn();
      await commit(database, waiting.splice(0, MOST));
    }
    isRunning = false;
  }

  return <T>(action: (transaction: Database<Tables>) => Promise<T>): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const act = async (transaction: Database<Tables>) => {
      const value = await action(transaction);
      return () => resolve(value);
    };
    waiting.push({ action: act, reject });
    if (!isRunning) void run();
    return promise;
  };
}

/** Never rejects: who waits is told. */
async function commit<Tables>(database: Database<Tables>, writes: readonly Write<Tables>[]): Promise<void> {
  try {
    const tell = await database.transaction().execute(async (transaction) => {
      const told: (() => void)[] = [];
      for (const write of writes) told.push(await apart(transaction, write));
      return told;
    });
    for (const one of tell) one();
  } catch (error) {
    for (const { reject } of writes) reject(error);
  }
}

/** One that fails leaves nothing, and nobody else fails by it; unless the database has given up the whole commit, as on a full disk. */
async function apart<Tables>(
  transaction: Database<Tables>,
  { action, reject }: Write<Tables>,
): Promise<() => void> {
  await sql`SAVEPOINT one`.execute(transaction);
  try {
    const tell = await action(transaction);
    await sql`RELEASE one`.execute(transaction);
    return tell;
  } catch (error) {
    await sql`ROLLBACK TO one`.execute(transaction).catch(() => {
      throw error;
    });
    await sql`RELEASE one`.execute(transaction);
    return () => reject(error);
  }
}
