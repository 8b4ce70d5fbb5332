/** Which addresses are this machine's own affair: who goes through it must not get to them. */
import * as z from 'zod';
import { ipIn, type Link, links, type Where } from '../ip.ts';

const route = z.object({
  dst: z.string(),
  /** None: `unicast`. */
  type: z.string().default('unicast'),
  dev: z.string().optional(),
  gateway: z.string().optional(),
  via: z.object({ host: z.string() }).optional(),
  nexthops: z.array(z.object({ dev: z.string().optional(), gateway: z.string().optional() })).default([]),
});
export type HostRoute = z.input<typeof route>;

/**
 * Whatever the machine: nowhere (connecting to 0.0.0.0 reaches the machine itself, RFC 1122), loopback, link-local (where clouds tell
 * a machine its secrets), protocol assignments (slirp4netns has its own addresses there), multicast, reserved and broadcast.
 */
const NEVER = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '192.0.0.0/24', '224.0.0.0/4', '240.0.0.0/4'];

/** Of `ip route`: what the machine takes for itself. */
const OWN_TYPES = ['local', 'broadcast', 'multicast', 'anycast'];

/** Links that may lead to nothing but this machine's own containers and machines. A tunnel leads elsewhere. */
const INNER_KINDS = ['bridge', 'veth', 'dummy', 'tun'];

/**
 * IPv4 networks, as nftables takes them, by the routes of all tables: each address of the machine, and what is behind links that lead
 * nowhere but into it, as docker0. A link leads out when a router is behind it, or when hardware, a bond, or a VLAN is its port.
 */
export function privateAddresses(routes: readonly HostRoute[], links: readonly Link[]): string[] {
  const all = routes.map((one) => route.parse(one));
  const routed = new Set(
    all.flatMap(({ dev, gateway, via, nexthops }) => [
      ...((gateway ?? via) ? [dev] : []),
      ...nexthops.filter((hop) => hop.gateway !== undefined).map((hop) => hop.dev),
    ]),
  );
  const isInnerKind = ({ linkinfo }: Link) => INNER_KINDS.includes(linkinfo?.info_kind ?? '');
  const leadsOut = (link: Link) =>
    routed.has(link.ifname) ||
    !isInnerKind(link) ||
    links.some((port) => port.master === link.ifname && (!isInnerKind(port) || routed.has(port.ifname)));
  const inner = new Set(links.filter((link) => !leadsOut(link)).map(({ ifname }) => ifname));
  const own = all.filter(
    ({ type, dev }) => OWN_TYPES.includes(type) || (dev !== undefined && inner.has(dev)),
  );
  const found = own.map(({ dst }) => dst).filter((dst) => dst !== 'default');
  return [...new Set([...NEVER, ...found])].sort();
}

/** Those of a namespace, as they are now. */
export async function lookAtPrivate(host: Where): Promise<string[]> {
  const [routes, found] = await Promise.all([
    ipIn(host, '-4', '-json', 'route', 'show', 'table', 'all'),
    links(host),
  ]);
  return privateAddresses(z.array(route).parse(JSON.parse(routes || '[]')), found);
}
