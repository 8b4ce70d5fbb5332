import { AbortError } from '@walt/client/errors';

/** What a user is told of a file that he has named. */
export function fileError(error: NodeJS.ErrnoException, what: string): Error {
  if (error.code === undefined) return error;
  return new AbortError(
    'INVALID',
    `${what}: ${error.message}.`,
    'Check the path, who may use it, and the room.',
  );
}
