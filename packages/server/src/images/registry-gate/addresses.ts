/** Addresses that only somebody on this machine or on its networks can reach, and that a registry elsewhere must not lead us to. */
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** IANA's registries of special-purpose addresses (RFC 6890), and multicast. */
const SPECIAL: [network: string, prefix: number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 96],
  ['fc00::', 7],
  ['fe80::', 9],
  ['ff00::', 8],
];
/** IPv6 addresses that lead to an IPv4 one and that no name needs: NAT64 for local use (RFC 8215), 6to4, Teredo. */
const EMBEDDING: [network: string, prefix: number][] = [
  ['64:ff9b:1::', 48],
  ['2002::', 16],
  ['2001::', 32],
];

// An IPv4 rule counts for the same address mapped into IPv6, too.
const special = new BlockList();
for (const [network, prefix] of [...SPECIAL, ...EMBEDDING]) {
  special.addSubnet(network, prefix, network.includes(':') ? 'ipv6' : 'ipv4');
}

/** True for what is no address of another machine on the internet. `own`: addresses of this one. */
export function isInternal(address: string, own: ReadonlySet<string> = ownAddresses()): boolean {
  const plain = translated(address.split('%')[0] ?? '');
  const family = isIP(plain);
  return family === 0 || special.check(plain, family === 6 ? 'ipv6' : 'ipv4') || own.has(plain);
}

/** NAT64 (RFC 6052): what stands for all of IPv4 in networks that have none is as good as the address in it. */
function translated(address: string): string {
  if (isIP(address) !== 6) return address;
  const canonical = new URL(`http://[${address}]`).hostname;
  const [, high = '0', low] = /^\[64:ff9b::(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4})\]$/.exec(canonical) ?? [];
  if (low === undefined) return address;
  const bytes = [high, low]
    .map((half) => Number.parseInt(half, 16))
    .flatMap((half) => [half >> 8, half & 255]);
  return bytes.join('.');
}

function ownAddresses(): Set<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address)));
}
