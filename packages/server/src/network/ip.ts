import * as z from 'zod';
import { attempt, isExternalError, run, UserError } from '../platform/index.ts';

/** What we read of `ip -json -details link show`. */
const link = z.object({
  ifname: z.string(),
  /** `ether` for what speaks Ethernet. */
  link_type: z.string(),
  altnames: z.array(z.string()).default([]),
  flags: z.array(z.string()),
  mtu: z.number(),
  ifalias: z.string().optional(),
  address: z.string().optional(),
  master: z.string().optional(),
  /** How frames that go out by it wait their turn (tc(8)). */
  qdisc: z.string().optional(),
  /** What it lies on, as a VLAN does; of a veth, its other end. */
  link: z.string().nullish(),
  linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
});
export type Link = z.infer<typeof link>;

/** A network namespace by its name (ip-netns(8)); undefined: the one that we are in. */
export type Where = string | undefined;

/** Runs iproute2's `ip`. Throws ExternalError when it refuses. */
export async function ip(...args: string[]): Promise<string> {
  return run(['ip', ...args]);
}

/** All links of a named network namespace; without a name, of the one that we are in. */
export async function links(namespace?: Where): Promise<Link[]> {
  return z.array(link).parse(JSON.parse(await ipIn(namespace, '-json', '-details', 'link', 'show')));
}

/** The same as `ip`, in that namespace. */
export function ipIn(namespace: Where, ...args: string[]): Promise<string> {
  return ip(...(namespace === undefined ? [] : ['-netns', namespace]), ...args);
}

const addressList = z.array(
  z.object({ addr_info: z.array(z.object({ local: z.string(), prefixlen: z.number() })) }),
);

/** IPv4 addresses of a link where we are, each as ADDRESS/PREFIX. */
export async function addresses(name: string): Promise<string[]> {
  const shown = addressList.parse(JSON.parse(await ip('-4', '-json', 'address', 'show', 'dev', name)));
  return shown.flatMap(({ addr_info }) => addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`));
}

const fdb = z.array(z.object({ mac: z.string(), ifname: z.string(), state: z.string().optional() }));
/** Bytes of a bridge's table: some ten thousand machines. */
const MAX_FDB = 4 * 1024 * 1024;

/** Which port of the bridge each hardware address was last heard on, by what the bridge has learned (bridge(8)). */
export async function learnedPorts(bridge: string): Promise<Map<string, string>> {
  const argv = ['bridge', '-json', 'fdb', 'show', 'br', bridge];
  const entries = fdb.parse(JSON.parse(await run(argv, { maxOutput: MAX_FDB })));
  const learned = entries.filter(({ state, ifname }) => state !== 'permanent' && ifname !== bridge);
  return new Map(learned.map(({ mac, ifname }) => [mac, ifname]));
}

/** Throws UserError UNAVAILABLE when iproute2 is not installed. */
export async function requireIp(): Promise<void> {
  try {
    await attempt(['ip', '-Version']);
  } catch (error) {
    if (!isExternalError(error)) throw error;
    throw new UserError(
      'UNAVAILABLE',
      'The program "ip" is missing on this machine.',
      'Install the package iproute2, then start again.',
    );
  }
}
