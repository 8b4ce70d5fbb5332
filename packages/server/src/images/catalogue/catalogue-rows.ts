/** Rows of the catalogue and what they mean; its errors. */
import type { Architecture, Lend, NamedImage } from '@walt/contract';
import { UserError } from '../../platform/index.ts';
import type { BootPlan, DigestRecord } from '../types.ts';
import type { ImageDigestTable } from './tables.ts';

/** Who moves a name, and why: a row of the history. */
export interface Move {
  user: string;
  action:
    | 'shell'
    | 'run'
    | 'save'
    | 'cp'
    | 'cross'
    | 'build'
    | 'squash'
    | 'default'
    | 'import'
    | 'duplicate'
    | 'undo'
    | 'clone'
    | 'rename'
    | 'remove';
  detail?: string;
  /** Images that it was made of: a new name is as hidden as these. */
  from?: readonly NamedImage[];
}

/** What a name must point to before it moves: a digest, `absent` (it is free), or `any`, be it there or not. */
export type Expected = { digest: string } | 'absent' | 'any';

/** In the history: between a name that another image was renamed to and the time of that. No name has it. */
export const DISPLACED = '@';

export function checkExpected(image: NamedImage, current: string | undefined, expected: Expected): void {
  if (expected === 'any') return;
  if (expected === 'absent') {
    if (current !== undefined) throw taken(image);
  } else if (current !== expected.digest) {
    const deed = current === undefined ? 'removed or renamed' : 'changed';
    throw changedMeanwhile(image, deed, 'Save under another name; nothing is lost.');
  }
}

function changedMeanwhile({ owner, name }: NamedImage, deed: string, hint: string): UserError {
  return new UserError(
    'CONFLICT',
    `Image "${owner}/${name}" was ${deed} by somebody else in the meantime.`,
    hint,
  );
}

export function movedMeanwhile(image: NamedImage): UserError {
  return changedMeanwhile(
    image,
    'changed',
    `Look at it first, with: walt image log ${image.owner}/${image.name}`,
  );
}

export function taken({ owner, name }: NamedImage): UserError {
  return new UserError(
    'CONFLICT',
    `There is an image named "${owner}/${name}" already.`,
    'Choose another name, or remove that image first.',
  );
}

export function gone({ owner, name }: NamedImage): UserError {
  return new UserError(
    'NOT_FOUND',
    `There is no image named "${owner}/${name}".`,
    'See: walt image show --all',
  );
}

export function history(
  image: NamedImage,
  digest: string | null,
  previous: string | null,
  move: Move,
  at: number,
  added: number | null = 0,
) {
  const { owner, name } = image;
  return {
    owner,
    name,
    digest,
    previous,
    at,
    user: move.user,
    action: move.action,
    detail: move.detail ?? '',
    added,
  };
}

export function toRecord(row: ImageDigestTable): DigestRecord {
  return {
    digest: row.digest,
    architecture: row.architecture as Architecture,
    created: row.created,
    size: row.size,
    layers: JSON.parse(row.layers) as string[],
    kernel: row.kernel,
    ...(row.real_kernel !== null && { realKernel: row.real_kernel }),
    bootPlan: row.boot_plan as BootPlan | null,
    models: JSON.parse(row.models) as string[],
    lends: JSON.parse(row.lends) as Lend[],
  };
}

export function fromRecord(record: DigestRecord): ImageDigestTable {
  const { digest, architecture, created, size, kernel, realKernel = null } = record;
  return {
    ...{ digest, architecture, created, size, kernel, real_kernel: realKernel, boot_plan: record.bootPlan },
    ...{ layers: JSON.stringify(record.layers), models: JSON.stringify(record.models) },
    lends: JSON.stringify(record.lends),
  };
}

export function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
