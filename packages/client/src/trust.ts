/** Which servers the client believes: a socket that only root or the user himself can have put there. */
import { realpathSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AbortError, hasCode } from './errors.ts';
import { DEFAULT_SOCKET } from './paths.ts';

/**
 * Throws AbortError FORBIDDEN when the socket, or a folder on the way to it, is in the hands of another user: he could answer in the
 * server's place. A socket that is not there is left to who connects.
 */
export function requireTrustedSocket(socket: string): void {
  try {
    const path = realpathSync(socket);
    const { uid } = statSync(path);
    // Who names a socket may run a server himself; the machine's own is root's.
    if (uid !== 0 && !(isMine(uid) && socket !== DEFAULT_SOCKET)) throw untrusted(socket, path, uid);
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      const stats = statSync(folder);
      if (!isKept(stats)) throw untrusted(socket, folder, stats.uid);
      if (folder === dirname(folder)) return;
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'EACCES') && !hasCode(error, 'ENOTDIR')) throw error;
  }
}

/** True when nobody but root and the user can put another file in place of one there. */
function isKept({ uid, gid, mode }: Stats): boolean {
  const sticky = (mode & 0o1000) !== 0;
  const othersWrite =
    (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0 && gid !== process.getgid?.());
  return (uid === 0 || isMine(uid)) && (sticky || !othersWrite);
}

export function isMine(uid: number): boolean {
  return uid === process.getuid?.();
}

function untrusted(socket: string, path: string, uid: number): AbortError {
  return new AbortError(
    'FORBIDDEN',
    `The socket ${socket} is not trusted: user id ${uid}, or who may write there, decides what ${path} is.`,
    'Unset WALT_SOCKET to reach the server of this machine, or name a socket that is yours or root’s, in a folder where only you or root write.',
  );
}
