/** What a command that failed tells on standard error, and its exit status. */
import { tellError } from '@walt/client/errors';
import { terminalText, visibleJson } from './terminal/visible.ts';

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Exit status of what ctrl-c ended, as a shell tells it. */
export const INTERRUPTED = 130;

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
  const told = tellError(error);
  if (told) return { ...told, status: 1 };
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: 'BUG',
    message: `This is a bug in walt. ${text}`,
    hint: 'Please report it with the lines above.',
    status: 1,
  };
}

/** Text for standard error: `walt: MESSAGE` and the next step; with `json` the same as one object. */
export function renderFailure(failure: Failure, json: boolean): string {
  const { code, message, hint } = failure;
  if (json) return `${visibleJson(JSON.stringify({ error: { code, message, hint } }))}\n`;
  return terminalText(hint === '' ? `walt: ${message}\n` : `walt: ${message}\n  → ${hint}\n`);
}
