/** What stopped a copy from a registry, for users. */
import { isExternalError, UserError } from '../../platform/index.ts';
import { printable } from '../printable.ts';
import type { RegistryGate } from './gate.ts';
import { type Asked, itsAdmin, thing } from './registry-failure.ts';

/** What containers/image says of an image that came whole and is not what it should be. */
const DAMAGED =
  /digest did not match|does not match (?:provided|expected)|digest mismatch|flate: corrupt|gzip: invalid|invalid tar|zstd: |magic number mismatch|archive\/tar: /i;

/** For an image that is not what was promised. */
export function damaged(asked: Asked): UserError {
  return new UserError(
    'EXTERNAL',
    `What registry "${asked.label}" sent for ${thing(asked)} is not what its digest says.`,
    `Nothing was kept of it. ${itsAdmin(asked)}`,
  );
}

/**
 * What it means that a program could not copy an image: what the gate saw tells more than the program. Other errors are answered as
 * they are.
 */
export async function explainCopying(error: unknown, gate: RegistryGate, what: string): Promise<unknown> {
  if (!isExternalError(error)) return error;
  const { label, host } = gate.access;
  const seen = await gate.failure(what);
  if (seen) return seen;
  if (DAMAGED.test(error.output)) return damaged({ label, host, what });
  return explainUnpacking(error.output, `${label}:${what}`) ?? error;
}

/** containers/storage unpacks each layer by a tar reader of its own, and says in brackets what stopped it. */
function explainUnpacking(output: string, called: string): UserError | undefined {
  const begin = output.indexOf('processing tar file(');
  if (begin < 0) return undefined;
  const reason = output.slice(output.indexOf('(', begin) + 1, output.lastIndexOf(')'));
  const full = /no space left|disk quota/.test(reason);
  if (full) return undefined;
  return new UserError(
    'INVALID',
    `A layer of ${called} cannot be unpacked: ${printable(reason)}.`,
    'No image was changed. Tell whoever made the image.',
  );
}
