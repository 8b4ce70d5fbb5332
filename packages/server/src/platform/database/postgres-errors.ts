/** What PostgreSQL's failures mean to a user. */
import { UserError } from '../errors.ts';
import type { PostgresPlace } from '../postgres-config.ts';

/**
 * Conditions that are no mistake of ours, by SQLSTATE (PostgreSQL's manual, appendix A): connection, transaction of a server that only
 * reads, authorization, unknown database, rights, no room, intervention of an administrator, failure of the system, of its own.
 */
const OUTSIDE = /^(?:08|25006|28|3D000|42501|53|57|58|XX)/;

/** Whether the connection it came by is of no more use: by the server's word, or because no server has said it. */
export function endsSession(error: unknown): boolean {
  const { code, severity } = error as { code?: string; severity?: string };
  return !isState(code) || severity === 'FATAL' || severity === 'PANIC';
}

/** SQLSTATE, which the server's errors have; those of the system have names. */
function isState(code: string | undefined): code is string {
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code);
}

/** UserError UNAVAILABLE, with its cause, for what an administrator can mend; other errors as they are. */
export function explained(error: unknown, place: PostgresPlace): unknown {
  const { code } = error as { code?: string };
  if (isState(code) && !OUTSIDE.test(code)) return error;
  return away(place, reasonOf(error), error);
}

export function away(place: PostgresPlace, reason: string, cause?: unknown): UserError {
  return Object.assign(
    new UserError(
      'UNAVAILABLE',
      `PostgreSQL at ${place.host}, port ${place.port}, database ${place.database} cannot be used: ${reason}.`,
      'See whether it runs, and what its log says. Work goes on by itself when it can be used.',
    ),
    { cause },
  );
}

function reasonOf(error: unknown): string {
  // Of several addresses of a host, each failed.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  return (first instanceof Error ? first.message : String(first)).replace(/\.$/, '');
}
