/** Failures as who calls meets them: a code, a sentence that names the thing, the next step. */

/**
 * What went wrong before the server was asked, or on the way to it and back. Not the server's UserError, though it looks like it: that
 * one has the codes that the contract lets it answer, and no client loads a file of the server.
 */
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

export interface Told {
  code: string;
  message: string;
  /** The next step; empty where there is none. */
  hint: string;
}

/** What an error of a call or a stream tells; undefined for what is none: a bug of who calls. */
export function tellError(error: unknown): Told | undefined {
  if (error instanceof AbortError) {
    return { code: error.code, message: error.message, hint: error.hint };
  }
  return isServerError(error) ? tellServerError(error) : undefined;
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

function tellServerError({ code, message, data }: ServerError): Told {
  if (code === 'INTERNAL_SERVER_ERROR') {
    return {
      code,
      message: `The WalT server met a bug. ${message}`,
      hint: "Its journal has the details: see `sudo walt-server status` for the journal's place.",
    };
  }
  return { code, message, hint: hintOf(data) };
}

/** The next step in the data of an error (contract, `errors`). */
export function hintOf(data: unknown): string {
  return isRecord(data) && typeof data.hint === 'string' ? data.hint : '';
}

/** True for an error with this code, from the server or our own. */
export function hasCode(error: unknown, code: string): error is Error {
  return error instanceof Error && 'code' in error && error.code === code;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
