import type { ErrorCode } from '@walt/contract';

/** A failure that the user can act on. `message` is a sentence that names the thing; `hint` is the next step. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly code: ErrorCode;
  readonly hint: string;
  constructor(code: ErrorCode, message: string, hint: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** An outside program failed. Carries its command line and the end of what it printed. */
export class ExternalError extends Error {
  override readonly name = 'ExternalError';
  readonly argv: readonly string[];
  readonly status: number | null;
  readonly output: string;
  constructor(
    argv: readonly string[],
    status: number | null,
    output: string,
    how = status === null ? 'killed' : `exit status ${status}`,
  ) {
    const last = output.trim().split('\n').slice(-3).join(' · ');
    super(`${argv[0]} failed (${how}): ${last || 'no output'}`);
    this.argv = argv;
    this.status = status;
    this.output = output;
  }
}

export function isUserError(error: unknown): error is UserError {
  return error instanceof UserError;
}

export function isExternalError(error: unknown): error is ExternalError {
  return error instanceof ExternalError;
}

/** True for a system error with that code, as `ENOENT`. */
export function hasErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
