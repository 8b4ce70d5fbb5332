/** The servers that a user has given names, and which of them he uses. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AbortError, hasCode, isRecord } from '../errors.ts';
import { configFolder } from '../paths.ts';
import { parseSshUrl, type SshPlace } from './url.ts';

export interface Servers {
  known: ReadonlyMap<string, SshPlace>;
  /** The one that is meant where none is named; undefined: that of this machine. */
  used: string | undefined;
}

/** What this machine's own server is called. */
export const THIS_MACHINE = 'local';

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const MAX_BYTES = 1024 * 1024;

/** Throws AbortError INVALID. */
export function checkServerName(name: string): string {
  if (NAME.test(name)) return name;
  throw new AbortError(
    'INVALID',
    `${JSON.stringify(name)} is no name for a server: it must be up to 63 lower-case letters, digits and dashes, and begin with no dash.`,
    'Choose another name.',
  );
}

/** Throws AbortError when the file is there and no list of servers. */
export function readServers(): Servers {
  const file = serversFile();
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR') || hasCode(error, 'EACCES'))
      return { known: new Map(), used: undefined };
    throw error;
  }
  try {
    return parseServers(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AbortError(
      'INVALID',
      `${file} is no list of servers: ${reason}`,
      'Mend it, or remove it and `walt server add` your servers again.',
    );
  }
}

/** Of the file's text. Throws. */
export function parseServers(text: string): Servers {
  if (text.length > MAX_BYTES) throw new Error('it is too large.');
  const data: unknown = JSON.parse(text);
  if (!isRecord(data) || !isRecord(data.servers)) throw new Error('it has no object `servers`.');
  const entries = Object.entries(data.servers).map(([name, url]): [string, SshPlace] => [
    checkServerName(name),
    parseSshUrl(typeof url === 'string' ? url : JSON.stringify(url)),
  ]);
  const known = new Map(entries);
  const used = data.use ?? undefined;
  if (used !== undefined && !(typeof used === 'string' && known.has(used)))
    throw new Error(`it uses ${JSON.stringify(used)}, which it does not know.`);
  return { known, used };
}

export function writeServers({ known, used }: Servers): void {
  const file = serversFile();
  const servers = Object.fromEntries([...known].map(([name, { url }]) => [name, url]));
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}`;
  rmSync(temporary, { force: true });
  const text = `${JSON.stringify({ servers, use: used ?? null }, null, 2)}\n`;
  writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' });
  renameSync(temporary, file);
}

function serversFile(): string {
  return join(configFolder(), 'servers.json');
}
