/** Saves what a container changed, also when somebody moved the name meanwhile. */
import { isUserError, UserError } from '../platform/index.ts';
import type { Catalogue } from './catalogue.ts';
import type { Expected, ImageName, Move } from './catalogue-rows.ts';
import type { Committer } from './committer.ts';
import type { Report } from './progress.ts';
import type { DigestRecord } from './types.ts';

export interface SaveTask {
  container: string;
  /** Digest of the image that the container was made of. */
  base: string;
  target: ImageName;
  expected: Expected;
  move: Move;
  report: Report;
}

/** Digits of the digest in a name of ours. */
const DIGITS = 8;

/**
 * Points `target` to what a container changed; undefined when nothing has changed, and no name was moved. A name that does not point
 * to what is expected stays as it is, and costs nobody the result: that is kept under a name of its own, which UserError CONFLICT
 * tells.
 */
export async function saveChange(
  { catalogue, committer }: { catalogue: Catalogue; committer: Committer },
  { container, base, target, expected, move, report }: SaveTask,
): Promise<DigestRecord | undefined> {
  let elsewhere: UserError | undefined;
  const saved = await committer.commit({
    ...{ container, base, report },
    point: async (record) => {
      elsewhere = await pointOrKeep(catalogue, target, record, expected, move);
    },
  });
  if (elsewhere) throw elsewhere;
  return saved;
}

/**
 * Points `target` to what somebody worked for, or, where it does not point to what is expected, a name of its own: the answer is then
 * the UserError CONFLICT that tells it.
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
    const kept = nameOfItsOwn(target, record.digest);
    await catalogue.point(kept, record, 'absent', move);
    return keptElsewhere(error, kept, move.user);
  }
}

function keptElsewhere({ message }: UserError, { owner, name }: ImageName, user: string): UserError {
  const called = owner === user ? name : `${owner}/${name}`;
  return new UserError(
    'CONFLICT',
    `${message} The result is kept as ${owner}/${name}.`,
    `Give it the name that you want: walt image rename ${called} NEW-NAME`,
  );
}

/** The name without its tag, cut so that it stays a name, and the beginning of the digest. */
function nameOfItsOwn({ owner, name }: ImageName, digest: string): ImageName {
  const start = 'sha256:'.length;
  const base = (name.split(':')[0] ?? name).slice(0, 50);
  return { owner, name: `${base}-${digest.slice(start, start + DIGITS)}` };
}
