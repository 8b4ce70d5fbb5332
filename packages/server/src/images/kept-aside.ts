import { isUserError, UserError } from '../platform/index.ts';
import type { Catalogue } from './catalogue.ts';
import type { Expected, ImageName, Move } from './catalogue-rows.ts';
import type { DigestRecord } from './types.ts';

/**
 * Points `target` to what somebody worked for. A name that moved meanwhile does not cost him his result: it gets a new name, and the
 * answer is the UserError CONFLICT that tells which.
 */
export async function pointOrKeep(
  catalogue: Catalogue,
  target: ImageName,
  record: DigestRecord,
  expected: Expected,
  move: Move,
): Promise<UserError | undefined> {
  try {
    await catalogue.point(target, record, expected, move);
    return undefined;
  } catch (error) {
    if (!isUserError(error) || error.code !== 'CONFLICT') throw error;
  }
  const name = { owner: target.owner, name: `${baseName(target.name)}-${record.digest.slice(7, 15)}` };
  await catalogue.point(name, record, 'any', move);
  return new UserError(
    'CONFLICT',
    `Image ${target.owner}/${target.name} was changed by somebody else meanwhile; the result is kept as ${name.owner}/${name.name}.`,
    `Give it the name that you want: walt image rename ${name.name} NEW-NAME`,
  );
}

/** Without its tag, and short enough to take eight digits more. */
function baseName(name: string): string {
  return (name.split(':')[0] ?? name).slice(0, 50);
}
