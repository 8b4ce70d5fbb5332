/** Carries out what plan.ts decided. */
import { createLog, isExternalError, UserError } from '../../platform/index.ts';
import { ipIn, type Link, links, type Where } from '../ip.ts';
import { setSysctl } from '../sysctl.ts';
import type { Step, Steps } from './plan.ts';
import type { AdapterRecord, Taken } from './record.ts';
import { type Address, isNamed, look, type Route } from './world.ts';

const log = createLog('network');

/** Bytes of an Ethernet frame's payload: what boards and the taps of virtual nodes take. */
const MTU = 1500;
/** What `ip` says for times that never end. */
const FOR_EVER = 0xffff_ffff;

export interface Sides {
  /** The host's namespace. */
  host: Where;
  /** walt-net's. */
  inside: Where;
  bridge: string;
  record: AdapterRecord;
}

type Executors = { [Kind in Step['kind']]: (step: Steps[Kind], sides: Sides) => Promise<void> };

const executors: Executors = {
  take: async ({ name, link }, { host, inside, record }) => {
    const promiscuous = link.flags.includes('PROMISC');
    const up = link.flags.includes('UP');
    const { ifname, mtu, addresses, routes } = link;
    await record.add({ name, link: ifname, up, mtu, promiscuous, addresses, routes });
    await ipIn(host, 'link', 'set', 'dev', ifname, 'netns', target(inside));
    const sizes = mtu > MTU ? ['mtu', String(MTU)] : [];
    await silence(ifname);
    await ipIn(inside, 'link', 'set', 'dev', ifname, 'promisc', 'off', ...sizes, 'up');
  },

  'make-vlan': async ({ name, link, parent, id }, { host, inside, record }) => {
    const parentUp = parent.flags.includes('UP');
    const nothing = { up: false, mtu: MTU, promiscuous: false, addresses: [], routes: [] };
    await record.add({ name, link, ...nothing, vlan: { parent: parent.ifname, parentUp } });
    // Made where it is needed: at no moment is it the host's.
    try {
      await ipIn(host, ...vlanWords({ link, parent, id, namespace: target(inside) }));
    } catch (error) {
      if (!isExternalError(error) || !/unknown device type|not supported/i.test(error.output)) throw error;
      throw new UserError(
        'UNAVAILABLE',
        `This machine's kernel has no VLANs (802.1Q), so ${name} cannot be made.`,
        'Load the module: modprobe 8021q. Where there is none, let a port of the switch carry the VLAN untagged.',
      );
    }
    await silence(link);
    if (!parentUp) await ipIn(host, 'link', 'set', 'dev', parent.ifname, 'up');
    await ipIn(inside, 'link', 'set', 'dev', link, 'up');
  },

  raise: async ({ parent }, { host }) => {
    await ipIn(host, 'link', 'set', 'dev', parent, 'up');
  },

  join: async ({ name, link }, { inside, bridge, record }) => {
    const nothing = { up: false, mtu: MTU, promiscuous: false, addresses: [], routes: [] };
    // One that somebody moved here by hand.
    await record.add({ name, link, ...nothing });
    await ipIn(inside, 'link', 'set', 'dev', link, 'master', bridge, 'up');
  },

  'give-back': async ({ taken }, sides) => {
    await giveBack(taken, sides);
    log.info('adapter: given back to the host', { adapter: taken.name });
  },
};

/** ip-link(8). Its MTU would be its parent's. */
export function vlanWords(vlan: {
  link: string;
  parent: Pick<Link, 'ifname' | 'mtu'>;
  id: number;
  namespace: string;
}): string[] {
  const { link, parent, id, namespace } = vlan;
  const mtu = String(Math.min(parent.mtu, MTU));
  const place = ['link', 'add', 'link', parent.ifname, 'name', link, 'mtu', mtu, 'netns', namespace];
  return [...place, 'type', 'vlan', 'id', String(id)];
}

/** Throws ExternalError when the kernel refuses, UserError when somebody can act. */
export async function carryOut<Kind extends Step['kind']>(step: Steps[Kind], sides: Sides): Promise<void> {
  const execute = executors[step.kind] as (step: Steps[Kind], sides: Sides) => Promise<void>;
  await execute(step, sides);
}

/** The adapter itself says nothing: what it would learn of routers and neighbours is the bridge's business. */
async function silence(link: string): Promise<void> {
  await setSysctl(`net/ipv6/conf/${link}/disable_ipv6`, '1');
}

/** How `ip link set … netns` names a namespace: by name, or by a process in it. */
function target(where: Where): string {
  return where ?? String(process.pid);
}

/** Makes an adapter what it was, wherever it is now, and forgets it. Safe to repeat. `inside` null: that namespace is gone. */
export async function giveBack(
  taken: Taken,
  { host, inside, record }: Pick<Sides, 'host' | 'record'> & { inside: Where | null },
): Promise<void> {
  const all = inside === null ? [] : await links(inside);
  const there = all.find((link) => isNamed(link, taken.link));
  if (taken.vlan) {
    if (there) await ipIn(inside ?? undefined, 'link', 'delete', 'dev', taken.link);
    await restoreParent(taken.vlan, host);
  } else {
    if (there) await bringBack(there.ifname, inside ?? undefined, host);
    await restore(taken, host, there !== undefined);
  }
  await record.remove(taken.name);
}

async function bringBack(ifname: string, inside: Where, host: Where): Promise<void> {
  await ipIn(inside, 'link', 'set', 'dev', ifname, 'nomaster');
  await ipIn(inside, 'link', 'set', 'dev', ifname, 'down');
  await ipIn(inside, 'link', 'set', 'dev', ifname, 'netns', target(host));
}

/** `moved`: we just brought it. Otherwise the kernel may have, when the namespace went; or it is a new one that the host uses by now. */
async function restore(taken: Taken, host: Where, moved: boolean): Promise<void> {
  const link = (await look(host, host)).host.find((one) => isNamed(one, taken.link));
  if (!link) return;
  const idle = !link.flags.includes('UP') && link.addresses.length === 0;
  if (!moved && !idle) return;
  const dev = ['dev', link.ifname];
  const promiscuous = taken.promiscuous ? 'on' : 'off';
  await ipIn(host, 'link', 'set', ...dev, 'mtu', String(taken.mtu), 'promisc', promiscuous);
  if (!taken.up) return;
  await ipIn(host, 'link', 'set', ...dev, 'up');
  for (const words of [...taken.addresses.map(addressWords), ...taken.routes.map(routeWords)]) {
    if (words.length > 0) await tryIn(host, [...words, ...dev]);
  }
}

async function restoreParent({ parent, parentUp }: NonNullable<Taken['vlan']>, host: Where): Promise<void> {
  if (parentUp) return;
  const { host: all } = await look(host, host);
  const link = all.find((one) => isNamed(one, parent));
  const used = link && (link.addresses.length > 0 || all.some((one) => one.link === link.ifname));
  if (link && !used) await ipIn(host, 'link', 'set', 'dev', link.ifname, 'down');
}

/** An address or a route that cannot come back must not keep the rest from it. */
async function tryIn(host: Where, words: string[]): Promise<void> {
  try {
    await ipIn(host, ...words);
  } catch (error) {
    if (!isExternalError(error)) throw error;
    log.warn('a setting of an adapter does not come back', { words: words.join(' '), reason: error.message });
  }
}

/** ip-address(8). */
export function addressWords(one: Address): string[] {
  if (one.dynamic && one.family === 'inet6') return [];
  const { valid_life_time: valid = FOR_EVER, preferred_life_time: preferred = FOR_EVER } = one;
  const times =
    valid === FOR_EVER
      ? []
      : ['valid_lft', String(valid), 'preferred_lft', String(Math.min(preferred, valid))];
  return [
    ...['address', 'replace'],
    ...(one.address === undefined
      ? [`${one.local}/${one.prefixlen}`]
      : [one.local, 'peer', `${one.address}/${one.prefixlen}`]),
    ...pair('broadcast', one.broadcast),
    ...pair('label', one.label),
    ...pair('scope', one.scope),
    ...pair('metric', one.metric),
    ...times,
    ...(one.noprefixroute ? ['noprefixroute'] : []),
  ];
}

/** ip-route(8). Routes over several links, and those that routers told, come back by who made them. */
export function routeWords(one: Route): string[] {
  if (one.nexthops || one.protocol === 'ra') return [];
  return [
    ...['route', 'replace', one.dst],
    ...pair('via', one.gateway),
    ...(one.via ? ['via', one.via.family, one.via.host] : []),
    ...pair('proto', one.protocol),
    ...pair('scope', one.scope),
    ...pair('src', one.prefsrc),
    ...pair('metric', one.metric),
    ...(one.flags.includes('onlink') ? ['onlink'] : []),
  ];
}

function pair(word: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [word, String(value)];
}
