/** Which server is meant: a socket of this machine, or one that ssh leads to. */
import { existsSync } from 'node:fs';
import { AbortError } from './errors.ts';
import { DEFAULT_SOCKET } from './paths.ts';
import { readServers, THIS_MACHINE } from './remote/servers.ts';
import { parseSshUrl, type SshPlace } from './remote/url.ts';

export type Place = { socket: string } | { ssh: SshPlace };

/** What a machine with a server has, also while that one is stopped. */
const TRACES = ['/run/walt', '/var/lib/walt'];

/** Code of the error when nobody has told which server to use, and this machine has none. */
export const NO_SERVER = 'NO_SERVER';

/** By WALT_SERVER, WALT_SOCKET, `walt server use`, in this order; else that of this machine. Throws AbortError. */
export function usualPlace(): Place {
  const { WALT_SERVER: server, WALT_SOCKET: socket } = process.env;
  if (server) return namedPlace(server);
  if (socket) return { socket };
  const { known, used } = readServers();
  const ssh = used === undefined ? undefined : known.get(used);
  return ssh ? { ssh } : { socket: DEFAULT_SOCKET };
}

/** A name that `walt server add` has made, `local`, or a URL. Throws AbortError. */
export function namedPlace(name: string): Place {
  if (name === THIS_MACHINE) return { socket: DEFAULT_SOCKET };
  if (name.includes('/')) return { ssh: parseSshUrl(name) };
  const { known } = readServers();
  const ssh = known.get(name);
  if (ssh) return { ssh };
  throw new AbortError(
    'NOT_FOUND',
    `There is no server named ${JSON.stringify(name)}.`,
    `\`walt server list\` lists them; \`walt server add NAME ssh://…\` adds one.`,
  );
}

/** As messages and folders are named. */
export function placeName(place: Place): string {
  return 'ssh' in place ? place.ssh.url : place.socket;
}

/** Words in front of a command line that reaches the same server from elsewhere, as from ssh's ProxyCommand. */
export function placeEnvironment(place: Place): string[] {
  if ('ssh' in place) return [`WALT_SERVER=${place.ssh.url}`];
  if (place.socket !== DEFAULT_SOCKET) return [`WALT_SOCKET=${place.socket}`];
  return process.env.WALT_SERVER ? [`WALT_SERVER=${THIS_MACHINE}`] : [];
}

export function hasServerHere(): boolean {
  return TRACES.some((path) => existsSync(path));
}

/** Throws AbortError NO_SERVER when the usual server is that of this machine, which has none. */
export function requireServerHere(socket: string): void {
  if (socket !== DEFAULT_SOCKET || hasServerHere()) return;
  throw new AbortError(
    NO_SERVER,
    'There is no WalT server on this machine, and none elsewhere was named.',
    'Name one: `walt server add lab ssh://USER@HOST`, then repeat the command. To make a server of this machine: `sudo ./quickstart`.',
  );
}
