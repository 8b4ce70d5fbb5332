import * as z from 'zod';
import { fileExists, isExternalError } from '../../platform/index.ts';
import { ipIn, type Link, links, type Where } from '../ip.ts';

/** An address of a link, by the words of `ip address`. */
const address = z.object({
  family: z.string(),
  local: z.string(),
  prefixlen: z.number(),
  /** The other end of a point-to-point address. */
  address: z.string().optional(),
  broadcast: z.string().optional(),
  scope: z.string().optional(),
  label: z.string().optional(),
  metric: z.number().optional(),
  noprefixroute: z.boolean().optional(),
  /** A router's word made it (IPv6), and it comes again by itself. */
  dynamic: z.boolean().optional(),
  /** Seconds from now; 4294967295: for ever. */
  valid_life_time: z.number().optional(),
  preferred_life_time: z.number().optional(),
});
export type Address = z.infer<typeof address>;

/** A route by a link, by the words of `ip route`. */
const route = z.object({
  dst: z.string(),
  dev: z.string().optional(),
  gateway: z.string().optional(),
  via: z.object({ family: z.string(), host: z.string() }).optional(),
  protocol: z.string().optional(),
  scope: z.string().optional(),
  prefsrc: z.string().optional(),
  metric: z.number().optional(),
  flags: z.array(z.string()).default([]),
  nexthops: z.array(z.object({ dev: z.string().optional() })).optional(),
});
export type Route = z.infer<typeof route>;

/** What the state file keeps of them. */
export const addressRecord = address;
export const routeRecord = route;

export interface HostLink extends Link {
  /** Those of others than the link itself: an IPv6 address that follows from the hardware is not among them. */
  addresses: Address[];
  /** Main table, without those that the kernel makes of addresses. */
  routes: Route[];
  /** A Wi-Fi adapter. */
  wireless: boolean;
}

/** Links on both sides. */
export interface World {
  host: HostLink[];
  /** Of walt-net's namespace. */
  inside: Link[];
}

/** Looks at both namespaces. */
export async function look(host: Where, inside?: Where): Promise<World> {
  const [onHost, there, found, routes] = await Promise.all([
    links(host),
    links(inside),
    addresses(host),
    allRoutes(host),
  ]);
  const described = onHost.map(async (link) => ({
    ...link,
    addresses: found.get(link.ifname) ?? [],
    routes: routes.filter(({ dev, nexthops = [] }) =>
      [dev, ...nexthops.map((hop) => hop.dev)].includes(link.ifname),
    ),
    // sysfs is the host's own: in a namespace that only plays the host, no adapter is wireless.
    wireless: await fileExists(`/sys/class/net/${link.ifname}/phy80211`),
  }));
  return { host: await Promise.all(described), inside: there };
}

const shownAddresses = z.array(z.object({ ifname: z.string(), addr_info: z.array(address) }));

async function addresses(where: Where): Promise<Map<string, Address[]>> {
  const shown = shownAddresses.parse(JSON.parse(await ipIn(where, '-json', 'address', 'show')));
  const own = ({ family, scope }: Address) => family === 'inet6' && scope === 'link';
  return new Map(shown.map(({ ifname, addr_info }) => [ifname, addr_info.filter((one) => !own(one))]));
}

async function allRoutes(where: Where): Promise<Route[]> {
  const [v4, v6] = await Promise.all(
    ['-4', '-6'].map(async (family) => {
      try {
        return JSON.parse((await ipIn(where, family, '-json', 'route', 'show', 'table', 'main')) || '[]');
      } catch (error) {
        // A machine without IPv6, or a table without a route yet ("FIB table does not exist").
        if (isExternalError(error)) return [];
        throw error;
      }
    }),
  );
  return z
    .array(route)
    .parse([...v4, ...v6])
    .filter(({ protocol }) => protocol !== 'kernel');
}

export function isNamed(link: Link, name: string): boolean {
  return link.ifname === name || link.altnames.includes(name);
}
