import { readdir } from 'node:fs/promises';
import { UserError } from '../../platform/index.ts';
import { links, type Where } from '../ip.ts';
import { reasonAgainst } from './plan.ts';
import { isNamed, look } from './world.ts';

/** Why a host has no adapter of that name, for a user. Platforms in the namespaces `own` are not looked for. */
export async function whyAbsent(
  name: string,
  host: Where,
  own: readonly string[],
  next = 'Mend network.interfaces in server.conf, or plug it in; then start again.',
): Promise<UserError> {
  const holder = await holderOf(name, own);
  if (holder !== undefined) {
    return new UserError(
      'CONFLICT',
      `The adapter ${name} is a part of the platform in ${holder} now.`,
      'Take it out of network.interfaces of one of the two, and start that one again.',
    );
  }
  const { host: all } = await look(host, host);
  const others = all
    .filter((link) => !reasonAgainst({ name, acceptInUse: true }, link, { host: all }))
    .map(({ ifname }) => ifname)
    .sort();
  return new UserError(
    'NOT_FOUND',
    `There is no adapter ${name} on this machine.`,
    `${others.length > 0 ? `It has ${others.join(', ')}. ` : ''}${next}`,
  );
}

/** State folder of the platform that has a link of that name; undefined: nobody. */
async function holderOf(name: string, except: readonly string[]): Promise<string | undefined> {
  const namespaces = (await readdir('/run/netns').catch(() => [])).filter((one) => !except.includes(one));
  for (const namespace of namespaces) {
    // One that is just being removed cannot be looked into.
    const found = await links(namespace).catch(() => []);
    const alias = found.find(({ ifname }) => ifname === 'lo')?.ifalias;
    if (!alias?.startsWith(MARK)) continue;
    if (found.some((link) => isNamed(link, name))) return alias.slice(MARK.length);
  }
  return undefined;
}

/** As namespace.ts marks the namespaces of platforms. */
const MARK = 'walt:';
