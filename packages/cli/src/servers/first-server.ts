/**
 * Folder `servers/`: which servers a user has.
 *
 * This file: the first start of a client whose machine has no server.
 */
import { tellError } from '@walt/client/errors';
import { readServers, THIS_MACHINE, writeServers } from '@walt/client/remote/servers';
import { parseSshUrl, type SshPlace } from '@walt/client/remote/url';
import { remark } from '../terminal/output.ts';
import { ask } from '../terminal/prompt.ts';

/** Asks for a server, and notes it. False when the user gives none. */
export async function askForServer(): Promise<boolean> {
  remark('There is no WalT server on this machine. Where is yours?');
  for (;;) {
    const answer = await ask('ssh://[USER@]HOST[:PORT], or nothing to leave: ');
    if (!answer) return false;
    const place = parsed(answer.includes('://') ? answer : `ssh://${answer}`);
    if (!place) continue;
    const { known } = readServers();
    const name = nameFor(place.host, known);
    writeServers({ known: new Map([...known, [name, place]]), used: name });
    remark(`It is called ${name}, and used from now on: \`walt help show remote\` tells more.`);
    return true;
  }
}

function parsed(text: string): SshPlace | undefined {
  try {
    return parseSshUrl(text);
  } catch (error) {
    const told = tellError(error);
    if (!told) throw error;
    remark(`${told.message} ${told.hint}`);
    return undefined;
  }
}

/** The first label of the host, as far as a name can have it. */
export function nameFor(host: string, known: ReadonlyMap<string, unknown>): string {
  const address = /^[\d.]+$|:/.test(host);
  const label = host
    .toLowerCase()
    .replace(address ? /[^a-z0-9]+/g : /\..*$/, address ? '-' : '')
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 50);
  const base = label === '' || label === THIS_MACHINE ? 'server' : label;
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!known.has(name)) return name;
  }
}
