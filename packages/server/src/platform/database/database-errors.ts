/** What SQLite's failures mean to a user. */
import { DiskFull } from '../disks/index.ts';
import { UserError } from '../errors.ts';

/** https://sqlite.org/rescode.html, primary codes. */
const BUSY = [5, 6];
const READ_ONLY = 8;
const IO = 10;
const DAMAGED = [11, 26];
const FULL = 13;
const CANNOT_OPEN = 14;

/** SQLite's primary result code of an error of node:sqlite. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
}

export function isLocked(error: unknown): boolean {
  return BUSY.includes(codeOf(error) ?? 0);
}

export function isDamaged(error: unknown): boolean {
  return DAMAGED.includes(codeOf(error) ?? 0);
}

/** True for what the administrator must hear of: no user can mend it. */
export function isStorageFailure(error: unknown): boolean {
  return [READ_ONLY, IO, CANNOT_OPEN, ...DAMAGED].includes(codeOf(error) ?? 0);
}

/** The same error in words where its cause is not the program: UserError UNAVAILABLE with SQLite's own as its cause. */
export function explained(error: unknown, file: string): unknown {
  const code = codeOf(error);
  const reason = error instanceof Error ? error.message : String(error);
  const as = (message: string, hint: string) =>
    Object.assign(new UserError('UNAVAILABLE', message, hint), { cause: error });
  if (code === FULL) return Object.assign(new DiskFull(file, 'Nothing was changed.'), { cause: error });
  if (isLocked(error)) return as('The database is busy.', 'Try again in a moment.');
  if (isDamaged(error)) return damaged(file, reason);
  if (code === IO || code === READ_ONLY || code === CANNOT_OPEN) {
    return as(
      `The server cannot read or write its database (${file}): ${reason}. Nothing was changed.`,
      "Tell the administrator: the server's disk may be failing (dmesg), or be mounted read-only.",
    );
  }
  return error;
}

export function damaged(file: string, reason: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `The database ${file} is damaged: ${reason}.`,
    'Put a copy in its place: walt-server stop, then walt-server restore (--list shows the copies).',
  );
}
