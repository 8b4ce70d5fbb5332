/** Calls that may put others' work at stake: the server says so (CONFIRM), the user decides. */
import { AbortError, hasCode } from '@walt/client/errors';
import { askYes, canAsk } from './prompt.ts';

export interface YesOption {
  yes?: true;
}

/**
 * Makes the call; when the server wants a confirmation, asks on the terminal and makes it again. Without a terminal
 * it ends with CONFIRM and says how to agree in advance.
 */
export async function confirming<T>(options: YesOption, call: (yes: boolean) => Promise<T>): Promise<T> {
  try {
    return await call(options.yes === true);
  } catch (error) {
    if (!hasCode(error, 'CONFIRM')) throw error;
    if (!canAsk()) throw new AbortError('CONFIRM', error.message, 'If you agree, repeat with --yes.');
    if (await askYes(error.message)) return call(true);
    throw new AbortError('CONFIRM', 'Given up; nothing was changed.', '');
  }
}
