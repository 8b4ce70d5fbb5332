/** Where a server elsewhere is: `ssh://[USER@]HOST[:PORT]`. */
import { parseSshPlace, type SshPlace, shortened } from '@walt/contract/values/hosts/ssh-place';
import { AbortError } from '../errors.ts';

export type { SshPlace };

/** Throws AbortError INVALID that tells what is wrong. */
export function parseSshUrl(text: string): SshPlace {
  const place = parseSshPlace(text);
  if (typeof place !== 'string') return place;
  throw new AbortError(
    'INVALID',
    `${shortened(text)} is not where a server can be: ${place}.`,
    'Write it as ssh://[USER@]HOST[:PORT], as in ssh://ann@lab.example.',
  );
}
