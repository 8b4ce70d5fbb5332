/** Where the client finds the server and keeps its own files (XDG base directory specification). */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { RUNTIME_FOLDER, SOCKET_NAME } from '@walt/contract/values/wire';

/** Of this machine's own server. */
export const DEFAULT_SOCKET = `${RUNTIME_FOLDER}/${SOCKET_NAME}`;

/** That of this machine, whichever server is used. */
export function ownSocket(): string {
  return process.env.WALT_SOCKET || DEFAULT_SOCKET;
}

/** A relative XDG path is invalid and must be ignored (XDG specification, "Environment variables"). */
function xdg(value: string | undefined, fallback: string): string {
  return value?.startsWith('/') ? value : join(homedir(), fallback);
}

export function cacheFolder(): string {
  return join(xdg(process.env.XDG_CACHE_HOME, '.cache'), 'walt');
}

export function configFolder(): string {
  return join(xdg(process.env.XDG_CONFIG_HOME, '.config'), 'walt');
}

/**
 * Folder of what one server told us: token, certificates, host authority. Named by the socket's path, which has at most 107 bytes
 * (unix(7)), or by a URL of at most 180, so its base64 fits in a file name, and costs no hash at start-up.
 */
export function serverFolder(place: string): string {
  return join(cacheFolder(), `server-${Buffer.from(place).toString('base64url')}`);
}
