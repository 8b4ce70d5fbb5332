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
    super(`${programOf(argv)} failed (${how}): ${reasonIn(output) || 'no output'}`);
    this.argv = argv;
    this.status = status;
    this.output = output;
  }
}

/** Programs that only run another one, which stands behind `--`. */
const WRAPPERS = ['nsenter', 'setpriv'];

function programOf(argv: readonly string[]): string {
  const [program = ''] = argv;
  const inner = argv.slice(argv.indexOf('--') + 1);
  return WRAPPERS.includes(program) && inner.length < argv.length ? programOf(inner) : program;
}

/** What a program calls an error, as apt, git, podman and skopeo do; else its last words. */
function reasonIn(output: string): string {
  const lines = output.trim().split('\n');
  const errors = lines.filter((line) => /^(?:E|error|fatal): /i.test(line));
  const told = (errors.length > 0 ? errors.slice(0, 2) : lines.slice(-3)).join(' · ');
  // It may quote what users, images or registries sent.
  const safe = told.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
  return safe.length <= MAX_REASON ? safe : `${safe.slice(0, MAX_REASON / 2)}…${safe.slice(-MAX_REASON / 2)}`;
}

/** Characters: a terminal's few lines. */
const MAX_REASON = 400;

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
