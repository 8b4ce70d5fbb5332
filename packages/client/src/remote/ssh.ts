/** How OpenSSH is run to reach a server elsewhere, and what its failures mean. Pure. */
import { type SshPlace, sshTarget } from '@walt/contract/values/hosts/ssh-place';
import { AbortError, isRecord } from '../errors.ts';
import type { WayFiles } from './files.ts';

/** What is run there, by whatever shell the login has: fixed words only. */
export const SIGN_IN = 'walt sign-in --json';
export const DIAL = 'walt dial-stdio --json';

/** In front of what these two print: the files of a shell may print as well. */
export const SIGN_IN_MARK = 'walt-sign-in ';
export const DIAL_MARK = 'walt-dial-stdio\n';

/** Seconds for which the connection stays when nobody uses it. */
const PERSIST = 300;

/**
 * Arguments of ssh that runs that line there. It becomes the master for others, or goes through the one that there is. `quiet`: it
 * asks nothing, and does not wait long.
 */
export function sshArguments(place: SshPlace, files: WayFiles, line: string, quiet: boolean): string[] {
  const options = [
    'ControlMaster=auto',
    `ControlPath=${files.control}`,
    `ControlPersist=${PERSIST}`,
    // A server that is not heard for 45 seconds is gone.
    'ServerAliveInterval=15',
    'ServerAliveCountMax=3',
    // The connection is walt's alone: what the user's configuration adds to such a host is for his own shells.
    'ClearAllForwardings=yes',
    'RemoteCommand=none',
    'RequestTTY=no',
    'PermitLocalCommand=no',
    'ForwardAgent=no',
    'ForwardX11=no',
    ...(quiet ? ['BatchMode=yes', 'ConnectTimeout=2'] : []),
  ];
  return [...options.flatMap((option) => ['-o', option]), ...sshTarget(place), line];
}

/** Arguments of ssh that makes the master forward `files.fresh`, or cancel that, or end. */
export function masterArguments(
  place: SshPlace,
  files: WayFiles,
  order: 'forward' | 'cancel' | 'exit',
  to?: string,
): string[] {
  const forward = to === undefined ? [] : ['-L', `${files.fresh}:${to}`];
  // No configuration: what it forwards would be asked for as well.
  return ['-F', 'none', '-o', `ControlPath=${files.control}`, '-O', order, ...forward, ...sshTarget(place)];
}

export interface SignedIn {
  token: string;
  user: string;
  /** Of the server, on its machine. */
  socket: string;
}

/** What `walt sign-in` printed there, whatever else is around it; undefined where it printed nothing. */
export function parseSignIn(output: string): SignedIn | undefined {
  const line = output.split('\n').find((text) => text.startsWith(SIGN_IN_MARK));
  if (line === undefined) return undefined;
  let told: unknown;
  try {
    told = JSON.parse(line.slice(SIGN_IN_MARK.length));
  } catch {
    return undefined;
  }
  if (!isRecord(told)) return undefined;
  const { token, user, socket } = told;
  const texts = typeof token === 'string' && typeof user === 'string' && typeof socket === 'string';
  // As the server makes them; nothing else becomes a line of a header.
  return texts && /^[A-Za-z0-9_-]{20,200}$/.test(token) ? { token, user, socket } : undefined;
}

/** Whether ssh can be told to forward to that path: it reads `:` and `%`, and more than these, as something of its own. */
export function canForwardTo(socket: string): boolean {
  return /^\/[A-Za-z0-9_./-]{1,106}$/.test(socket);
}

/** ssh's own exit status when it could not do what it was told (ssh(1)). */
const SSH_FAILED = 255;
/** Of a shell, for a command that it does not find, or may not run. */
const NO_COMMAND = [126, 127];
/** Characters of ssh's words that are told. */
const MAX_TOLD = 2000;

export function noSsh(): AbortError {
  return new AbortError(
    'UNAVAILABLE',
    'There is no ssh on this machine.',
    'Install the OpenSSH client: `sudo apt install openssh-client`.',
  );
}

/** Why nothing came of it. `stderr`: all that ssh, and what ran there, wrote. */
export function sshFailure({ url, host }: SshPlace, status: number, stderr: string): AbortError {
  // Beside a terminal that it has for itself, ssh ends its lines as such a terminal needs it.
  const words = stderr.replaceAll('\r\n', '\n').trim().slice(-MAX_TOLD);
  const said = words === '' ? ' It said nothing.' : `\n${words}`;
  if (status === SSH_FAILED) {
    const next = /Host key verification failed/.test(stderr)
      ? `Log in once by \`ssh\` on a terminal: it asks whether ${host} is the host that you mean.`
      : `See whether \`ssh\` alone logs in to ${host}: walt uses its keys and its configuration. If another host is meant: walt server list`;
    return new AbortError('UNAVAILABLE', `ssh did not get to ${url}.${said}`, next);
  }
  const told = toldBy(stderr);
  if (told?.code === 'USAGE') {
    return new AbortError(
      'VERSION',
      `The walt on the machine of ${url} is too old to be reached from elsewhere.`,
      'Ask its administrator to upgrade it.',
    );
  }
  if (told) {
    const { code, message, hint } = told;
    return new AbortError(code, `On the machine of ${url}: ${message}`, hint);
  }
  if (NO_COMMAND.includes(status)) {
    return new AbortError(
      'UNAVAILABLE',
      `There is no walt on the machine of ${url}, or your login there does not find it.${said}`,
      'A WalT server has it: its administrator can link it, `sudo ln -s …/walt /usr/local/bin/walt`.',
    );
  }
  return new AbortError(
    'UNAVAILABLE',
    `What your login at ${url} runs is no walt: it ended with status ${status}.${said}`,
    `Look at what \`ssh\` of ${host} runs, and whether \`walt\` there is WalT’s.`,
  );
}

/** The failure that a walt there told, which prints it as data. */
function toldBy(stderr: string): { code: string; message: string; hint: string } | undefined {
  for (const line of stderr.split('\n')) {
    if (!line.startsWith('{"error":')) continue;
    try {
      const { error } = JSON.parse(line) as { error?: unknown };
      if (!isRecord(error)) continue;
      const { code, message, hint } = error;
      if (typeof code === 'string' && typeof message === 'string' && typeof hint === 'string')
        return { code, message, hint };
    } catch {
      // A line like it, of something else.
    }
  }
  return undefined;
}
