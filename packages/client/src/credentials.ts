/** Proof of who the caller is, and the token that the server gives for it. */
import {
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Client } from '@walt/contract';
import { PROOF_FILE, PROOF_NONCE } from '@walt/contract/values/proofs';
import { PROOF_FOLDER } from '@walt/contract/values/wire';
import { AbortError, hasCode } from './errors.ts';
import type { Credentials } from './transport.ts';
import { isMine } from './trust.ts';

interface Proven {
  token: string;
  /** Login name on the server. */
  user: string;
}

export interface KnownCredentials extends Credentials {
  user(): Promise<string>;
}

/**
 * The cached token of `folder`, else a new one. Calls that come while a proof is under way share it. A cache that cannot be
 * read or written only costs the next command a proof.
 * `socket` is where `auth` is called.
 */
export function openCredentials(auth: Client['auth'], socket: string, folder: string): KnownCredentials {
  const file = join(folder, 'token');
  let proven: Promise<Proven> | undefined;
  const known = () => {
    proven ??= Promise.resolve(readToken(file) ?? renew());
    return proven;
  };
  const renew = () => {
    const proof = prove(auth, socket);
    proven = proof;
    return proof.then((fresh) => {
      storeToken(folder, file, fresh);
      return fresh;
    });
  };
  return {
    token: async () => (await known()).token,
    renew: async () => (await renew()).token,
    user: async () => (await known()).user,
  };
}

/**
 * Shows the server a file that only the caller can have made (contract, `auth`). It is made beside the socket that was asked, and
 * nowhere else: a server that passes on another one's question gets nothing that is worth anything there.
 */
async function prove(auth: Client['auth'], socket: string): Promise<Proven> {
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

function readToken(file: string): Proven | undefined {
  try {
    const { token, user } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Proven>;
    return typeof token === 'string' && typeof user === 'string' ? { token, user } : undefined;
  } catch {
    return undefined;
  }
}

function storeToken(folder: string, file: string, proven: Proven): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const temporary = `${file}.${process.pid}`;
    // What a killed walt of the same process id may have left.
    rmSync(temporary, { force: true });
    writeFileSync(temporary, JSON.stringify(proven), { mode: 0o600, flag: 'wx' });
    renameSync(temporary, file);
  } catch {
    // As promised above: no cache, no harm.
  }
}
