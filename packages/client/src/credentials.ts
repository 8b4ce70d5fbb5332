/** The token that a server gives to who has proved who he is, kept for the next commands. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Credentials } from './transport.ts';

export interface Proven {
  token: string;
  /** Login name on the server. */
  user: string;
}

export interface KnownCredentials extends Credentials {
  user(): Promise<string>;
}

/**
 * The cached token of `folder`, else a new one. Calls that come while a proof is under way share it. A cache that cannot be
 * read or written only costs the next command a proof. `prove` is told which token is no good.
 */
export function openCredentials(
  folder: string,
  prove: (refused: string | undefined) => Promise<Proven>,
): KnownCredentials {
  let proven: Promise<Proven> | undefined;
  let last: string | undefined;
  const note = (promise: Promise<Proven>) => {
    proven = promise;
    return promise.then((known) => {
      last = known.token;
      return known;
    });
  };
  const known = () => proven ?? note(Promise.resolve(readToken(folder) ?? renew()));
  const renew = () =>
    note(
      prove(last).then((fresh) => {
        storeToken(folder, fresh);
        return fresh;
      }),
    );
  return {
    token: async () => (await known()).token,
    renew: async () => (await renew()).token,
    user: async () => (await known()).user,
  };
}

/** What the folder of a server keeps. */
export function readToken(folder: string): Proven | undefined {
  try {
    const { token, user } = JSON.parse(readFileSync(tokenFile(folder), 'utf8')) as Partial<Proven>;
    return typeof token === 'string' && typeof user === 'string' ? { token, user } : undefined;
  } catch {
    return undefined;
  }
}

function storeToken(folder: string, proven: Proven): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = tokenFile(folder);
    const temporary = `${file}.${process.pid}`;
    // What a killed walt of the same process id may have left.
    rmSync(temporary, { force: true });
    writeFileSync(temporary, JSON.stringify(proven), { mode: 0o600, flag: 'wx' });
    renameSync(temporary, file);
  } catch {
    // As promised above: no cache, no harm.
  }
}

function tokenFile(folder: string): string {
  return join(folder, 'token');
}
