import { ORPCError } from '@orpc/server';
import { type ErrorCode, errors } from '@walt/contract';
import { isExternalError, isUserError, type Log, UserError } from '../platform/index.ts';
import { fieldWords } from './field-words.ts';

export type ApiError = ORPCError<string, { hint: string }>;

/**
 * What a client is told about a failure. Users' errors go as they are; an outside program's failure and a bug of ours
 * go to the journal too, the latter with its stack, which no client sees.
 */
export function toApiError(error: unknown, log: Log): ApiError {
  if (isUserError(error)) return apiError(error.code, error.message, error.hint);
  if (isExternalError(error)) {
    log.error('an outside program failed', {
      command: error.argv.join(' '),
      output: error.output.slice(-4000),
    });
    return apiError(
      'EXTERNAL',
      error.message,
      "The server's journal has the details; `walt-server status` shows where it is.",
    );
  }
  if (error instanceof ORPCError) {
    const invalid = toInvalidInput(error);
    if (invalid) return apiError(invalid.code, invalid.message, invalid.hint);
  }
  log.error('a call failed unexpectedly', { error: describe(error) });
  return new ORPCError('INTERNAL_SERVER_ERROR', {
    message: 'The server made a mistake.',
    data: {
      hint: 'The journal has the details (`walt-server status` shows where it is); please report them.',
    },
  });
}

/** The one place where what clients are told is put together. */
function apiError(code: ErrorCode, message: string, hint: string): ApiError {
  return new ORPCError(code, {
    status: errors[code].status,
    message: asSentence(message),
    data: { hint: asSentence(hint) },
  });
}

/** Without a second mark at its end: parts of a message often bring their own. */
export function asSentence(text: string): string {
  return text.trimEnd().replace(/([.!?…])\.+$/, '$1');
}

interface Issue {
  message: string;
  path?: ReadonlyArray<PropertyKey | { key: PropertyKey }> | undefined;
  /** Of a name in a record (zod's `invalid_key`): what is wrong with the name itself. */
  issues?: readonly Issue[] | undefined;
}

/** oRPC reports input that the contract's schema refuses as BAD_REQUEST, with the schema's issues and the input as cause. */
function toInvalidInput(error: ORPCError<string, unknown>): UserError | undefined {
  if (error.code !== 'BAD_REQUEST') return undefined;
  const issues = (error.data as { issues?: readonly Issue[] } | undefined)?.issues;
  if (!issues?.[0]) return unreadableRequest();
  return invalidInput(issues, (error.cause as { data?: unknown } | undefined)?.data);
}

/** For a request that is no call of the contract at all: users meet it only with a foreign or older client. */
export function unreadableRequest(): UserError {
  return new UserError(
    'INVALID',
    'The request cannot be read.',
    'Use a walt client of the same version as the server.',
  );
}

/** Tells in words which field breaks which rule. `input` is what the schema refused. */
export function invalidInput(issues: readonly Issue[], input: unknown): UserError {
  const [first] = issues;
  const path = (first?.path ?? []).map((part) => (typeof part === 'object' ? part.key : part));
  const [ofName] = first?.issues ?? [];
  const value = ofName ? path.at(-1) : at(input, path);
  const field = fieldWords(path);
  const secret = path.at(-1) === 'password';
  const given = !secret && (typeof value === 'string' || typeof value === 'number') ? ` ${shown(value)}` : '';
  const rule = (ofName ?? first)?.message ?? 'is not valid';
  const message = rule.startsWith('must ')
    ? `${field}${given} ${rule}.`
    : `${field}${given} is not valid: ${rule}.`;
  return new UserError('INVALID', message, 'Mend it, then run the command again.');
}

function at(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  return value;
}

/** JSON quoting, so that control characters do not reach a terminal; cut where no name is that long. */
function shown(value: string | number): string {
  return JSON.stringify(typeof value === 'string' && value.length > 80 ? `${value.slice(0, 80)}…` : value);
}

/** Stack, and that of what caused it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const issues = 'issues' in error ? ` ${JSON.stringify(error.issues)}` : '';
  const cause = error.cause === undefined ? '' : `\ncaused by: ${describe(error.cause)}`;
  return `${error.stack ?? error.message}${issues}${cause}`;
}
