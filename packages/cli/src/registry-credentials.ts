import { AbortError } from '@walt/client/errors';
import { UsageError } from './errors.ts';
import { ask, askSecret, canAsk } from './terminal/prompt.ts';

/**
 * User name and password, from options, standard input or the terminal. A password never is an argument: everybody on the
 * machine can read those. Throws UsageError when something is missing and nobody can be asked.
 */
export async function readCredentials(
  registry: string,
  { username, passwordStdin }: { username?: string; passwordStdin?: true },
): Promise<{ username: string; password: string }> {
  if (passwordStdin) {
    if (username === undefined) {
      throw new UsageError('--password-stdin needs a user name.', 'Add --username NAME.');
    }
    return { username, password: required(await readInput(), 'password') };
  }
  if (!canAsk()) {
    throw new UsageError(
      'There is no terminal to ask for the password.',
      'Pass it by standard input, with --username NAME --password-stdin.',
    );
  }
  const name = username ?? required(await ask(`User name on ${registry}: `), 'user name');
  return { username: name, password: required(await askSecret(`Password of ${name}: `), 'password') };
}

/** All of standard input, without the newline at its end. */
async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

function required(answer: string | undefined, what: string): string {
  if (answer !== undefined && answer !== '') return answer;
  throw new AbortError('INVALID', `No ${what} was given; nothing was changed.`, '');
}
