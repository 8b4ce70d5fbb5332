/**
 * Room in a database's own files, so that it can be written while its disk is full: pages that nothing uses, and a write-ahead log as
 * long as it may become. Nobody else can take it (decision 0119).
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Log } from '../logs/index.ts';

/** Bytes of pages that nothing uses: some thousand rows. */
const PAGES = 1024 ** 2;
/** Bytes: with 1000 pages in the log, SQLite begins it anew (wal_autocheckpoint), after the transaction that came to that. */
const WAL = 4.2 * 1024 ** 2;

/** For a database that was just opened. Where the disk is full already, it is told, and goes without. */
export function openSpareRoom(sqlite: DatabaseSync, log: Pick<Log, 'warn'>): void {
  try {
    keepSparePages(sqlite);
    lengthenLog(sqlite);
  } catch (error) {
    log.warn('the database has no room of its own for when the disk is full', { reason: String(error) });
  }
}

/** Makes some again when few are left, unless a transaction is open. Throws SQLite's error where the disk is full. */
export function keepSparePages(sqlite: DatabaseSync): void {
  // It is somebody else's: to make pages in it would fail, and to take that back would take his rows.
  if (sqlite.isTransaction) return;
  if (numberOf(sqlite, 'freelist_count') * numberOf(sqlite, 'page_size') > PAGES / 2) return;
  const made = `CREATE TABLE spare_room AS SELECT zeroblob(${PAGES}) AS room`;
  try {
    // In the log alone, they would take nothing of the disk yet.
    sqlite.exec(`BEGIN; DROP TABLE IF EXISTS spare_room; ${made}; COMMIT; PRAGMA wal_checkpoint`);
    sqlite.exec('DROP TABLE spare_room');
  } finally {
    if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
  }
}

/** What does not fit into the cache is written ahead, and taken back: the log stays as long as it was. */
function lengthenLog(sqlite: DatabaseSync): void {
  const cache = numberOf(sqlite, 'cache_size');
  sqlite.exec('PRAGMA cache_size = 10; BEGIN');
  try {
    sqlite.exec(`CREATE TABLE spare_room AS SELECT zeroblob(${WAL}) AS room`);
  } finally {
    if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
    sqlite.exec(`PRAGMA cache_size = ${cache}`);
  }
}

function numberOf(sqlite: DatabaseSync, pragma: 'freelist_count' | 'page_size' | 'cache_size'): number {
  return Number(sqlite.prepare(`PRAGMA ${pragma}`).get()?.[pragma]);
}
