/** Proof of who the caller is, and the token that the server gives for it. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@walt/contract';
import type { Credentials } from './transport.ts';

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
 */
export function openCredentials(auth: Client['auth'], folder: string): KnownCredentials {
  const file = join(folder, 'token');
  let proven: Promise<Proven> | undefined;
  const known = () => {
    proven ??= Promise.resolve(readToken(file) ?? renew());
    return proven;
  };
  const renew = () => {
    const proof = prove(auth);
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

/** Shows the server a file that only the caller can have made (contract, `auth`). */
async function prove(auth: Client['auth']): Promise<Proven> {
  const { file, nonce } = await auth.challenge();
  // wx: never through a link that someone else put there.
  writeFileSync(file, nonce, { mode: 0o600, flag: 'wx' });
  try {
    // A umask can take the mode's bits away, the server may then be unable to read it.
    chmodSync(file, 0o600);
    const { token, user } = await auth.prove({ nonce });
    return { token, user };
  } finally {
    rmSync(file, { force: true });
  }
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
