/** Where the client keeps the way to a server elsewhere while it is open. */
import { hash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AbortError, hasCode } from '../errors.ts';
import { isMine } from '../trust.ts';

export interface WayFiles {
  /** ssh's ControlPath. */
  control: string;
  /** Leads to the server's socket. */
  socket: string;
  /** The same, until it is known whether it does. */
  fresh: string;
  lock: string;
  /** There while sshd is known to forward nothing. */
  unforwarded: string;
}

/** Bytes of a folder's path: ssh puts 17 more behind the name of a socket, which has 107 in all (unix(7)). */
const MAX_FOLDER = 60;
/** No character that ssh replaces in a path, or that ends it in `-L`. */
const PLAIN = /^\/[A-Za-z0-9_./-]+$/;

/** Of that URL. Makes their folder. Throws AbortError when somebody else has it. */
export function wayFiles(url: string): WayFiles {
  const base = join(ownFolder(), hash('sha256', url, 'hex').slice(0, 20));
  return {
    control: `${base}.ctl`,
    socket: `${base}.sock`,
    fresh: `${base}.new`,
    lock: `${base}.lock`,
    unforwarded: `${base}.none`,
  };
}

function ownFolder(): string {
  const { XDG_RUNTIME_DIR: given = '' } = process.env;
  if (PLAIN.test(given) && given.length <= MAX_FOLDER && ours(given)) return made(join(given, 'walt'));
  const folder = made(`/tmp/walt-${process.getuid?.()}`);
  if (ours(folder)) return folder;
  throw new AbortError(
    'FORBIDDEN',
    `The folder ${folder} is not yours alone: who has it could read what you send to a server.`,
    'Remove it, or have its owner remove it; or set XDG_RUNTIME_DIR to a folder of mode 700 of yours.',
  );
}

function made(folder: string): string {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  return folder;
}

/** A folder, no link, which nobody else may enter. */
function ours(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && isMine(stats.uid) && (stats.mode & 0o077) === 0;
}
