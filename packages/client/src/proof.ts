/** Shows a server of this machine who its user is. */
import {
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  openSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Client } from '@walt/contract';
import { PROOF_FILE, PROOF_NONCE } from '@walt/contract/values/proofs';
import { PROOF_FOLDER } from '@walt/contract/values/wire';
import type { Proven } from './credentials.ts';
import { AbortError, hasCode } from './errors.ts';
import { isMine } from './trust.ts';

/**
 * Shows the server a file that only the caller can have made (contract, `auth`). It is made beside the socket that was asked, and
 * nowhere else: a server that passes on another one's question gets nothing that is worth anything there.
 */
export async function proveByFile(auth: Client['auth'], socket: string): Promise<Proven> {
  const { file: name, nonce } = await auth.challenge();
  if (!PROOF_FILE.test(name) || !PROOF_NONCE.test(nonce)) throw oddProof(socket, JSON.stringify(name));
  const folder = join(dirname(realpathSync(socket)), PROOF_FOLDER);
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (!stats?.isDirectory() || (stats.uid !== 0 && !isMine(stats.uid))) throw oddProof(socket, folder);
  const file = join(folder, name);
  // Never what is there already, never through a link.
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = notFull(folder, () => openSync(file, flags, 0o600));
  try {
    try {
      // A umask can take the mode's bits away, the server may then be unable to read it.
      fchmodSync(handle, 0o600);
      notFull(folder, () => writeFileSync(handle, nonce));
    } finally {
      closeSync(handle);
    }
    const { token, user } = await auth.prove({ nonce });
    return { token, user };
  } finally {
    rmSync(file, { force: true });
  }
}

/** Everybody may write in that folder, so it is bounded. */
function notFull<T>(folder: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (!hasCode(error, 'ENOSPC') && !hasCode(error, 'EDQUOT')) throw error;
    throw new AbortError(
      'UNAVAILABLE',
      `The folder in which the server's users sign in is full: ${folder}.`,
      'Repeat the command in some seconds. If that does not help: as root, `lsof +L1` tells who keeps files open there.',
    );
  }
}

function oddProof(socket: string, place: string): AbortError {
  return new AbortError(
    'FORBIDDEN',
    `The server at ${socket} wants to know who you are in a way that no WalT server does (${place}).`,
    'Use a walt client of the same version as the server, and a socket of a server that you trust.',
  );
}
