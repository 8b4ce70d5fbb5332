/** Failures as the user meets them: a code, a sentence that names the thing, the next step, an exit status. */
import { terminalText, visibleJson } from './terminal/visible.ts';

/** The user can act on it. */
export class AbortError extends Error {
  override readonly name = 'AbortError';
  readonly code: string;
  readonly hint: string;
  constructor(code: string, message: string, hint: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

export interface Failure {
  code: string;
  message: string;
  hint: string;
  /** 2 for wrong usage, 1 for the rest. */
  status: 1 | 2;
}

/** What to tell about anything that was thrown. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof UsageError)
    return { code: 'USAGE', message: error.message, hint: error.hint, status: 2 };
  if (error instanceof AbortError)
    return { code: error.code, message: error.message, hint: error.hint, status: 1 };
  if (isServerError(error)) return describeServerError(error);
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: 'BUG',
    message: `This is a bug in walt. ${text}`,
    hint: 'Please report it with the lines above.',
    status: 1,
  };
}

/** Fields of an oRPC error, known by shape: the class is not loaded until a call was made. */
interface ServerError {
  code: string;
  message: string;
  status: number;
  data?: unknown;
}

function isServerError(error: unknown): error is Error & ServerError {
  return (
    error instanceof Error &&
    'defined' in error &&
    'code' in error &&
    typeof error.code === 'string' &&
    'status' in error &&
    typeof error.status === 'number'
  );
}

/** True for an error with this code, from the server or our own. */
export function hasCode(error: unknown, code: string): error is Error {
  return error instanceof Error && 'code' in error && error.code === code;
}

function describeServerError({ code, message, data }: ServerError): Failure {
  if (code === 'BAD_REQUEST') return describeBadInput(message, data);
  if (code === 'INTERNAL_SERVER_ERROR') {
    return {
      code,
      message: `The WalT server met a bug. ${message}`,
      hint: "Its journal has the details: see `sudo ./walt-server status` for the journal's place.",
      status: 1,
    };
  }
  const hint = isRecord(data) && typeof data.hint === 'string' ? data.hint : '';
  return { code, message, hint, status: 1 };
}

/** Input that the contract's schemas refuse: oRPC answers the list of issues (Standard Schema) in `data`. */
function describeBadInput(message: string, data: unknown): Failure {
  const issues = isRecord(data) && Array.isArray(data.issues) ? data.issues : [];
  const sentences = issues.filter(isRecord).map((issue) => {
    const path = Array.isArray(issue.path) ? issue.path.join('.') : '';
    return `${path === '' ? 'input' : path} ${String(issue.message)}`;
  });
  return {
    code: 'INVALID',
    message: sentences.length > 0 ? `Not accepted: ${sentences.join('; ')}.` : message,
    hint: 'Correct it, then repeat the command.',
    status: 2,
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Text for standard error: `walt: MESSAGE` and the next step; with `json` the same as one object. */
export function renderFailure(failure: Failure, json: boolean): string {
  const { code, message, hint } = failure;
  if (json) return `${visibleJson(JSON.stringify({ error: { code, message, hint } }))}\n`;
  return terminalText(hint === '' ? `walt: ${message}\n` : `walt: ${message}\n  → ${hint}\n`);
}
