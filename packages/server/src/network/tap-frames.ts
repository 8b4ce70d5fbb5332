/** What a virtual node may put on walt-net. */
import { isExternalError } from '../platform/index.ts';
import { nft } from './nft.ts';

/** Whose tap it is. */
export interface Station {
  mac: string;
  ip: string;
}

/**
 * Lets only frames through the tap that come from its node's own addresses, and are of a kind that names them: ARP, IPv4, DHCP
 * requests, IPv6 between neighbours. Frames with a VLAN tag, spanning tree's and the like are dropped, and so are answers that are the
 * server's alone to give (DHCP, router advertisements). Replaces what was there in one step. Throws ExternalError when nft is missing
 * or the kernel refuses.
 *
 * `netdev` sees each frame as it enters, before the bridge learns or forwards anything, and it is in Debian's kernels as it is in
 * those that lack the bridge family's expressions and all of tc's actions.
 */
export async function guardTap(tap: string, station: Station): Promise<void> {
  await nft(frameRules(tap, station));
}

/** Idempotent. Without nft, nothing was guarded. */
export async function unguardTap(tap: string): Promise<void> {
  try {
    await nft(`add table netdev ${tableOf(tap)}\ndelete table netdev ${tableOf(tap)}\n`);
  } catch (error) {
    if (!isExternalError(error)) throw error;
  }
}

/** One for each tap, so that it can be replaced, and go with its tap. */
function tableOf(tap: string): string {
  return `walt-${tap}`;
}

/** In the language of nft(8). */
export function frameRules(tap: string, { mac, ip }: Station): string {
  const table = tableOf(tap);
  const own6 = linkLocal(mac);
  const packed = (text: string) => `0x${text.replaceAll(':', '')}`;
  return `add table netdev ${table}
delete table netdev ${table}
table netdev ${table} {
  chain frames {
    type filter hook ingress device "${tap}" priority 0; policy drop;
    ether saddr != ${mac} drop

    # ARP for IPv4 over Ethernet; 0.0.0.0: is this address free?
    ether type arp arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp saddr ether ${mac} arp saddr ip { ${ip}, 0.0.0.0 } accept

    # DHCP (RFC 2131): a request, by Ethernet, with its own hardware address (chaddr); before it has an address, and later.
    ether type ip ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 @th,64,24 0x010106 @th,288,48 ${packed(mac)} accept
    ether type ip ip saddr ${ip} udp dport 67 @th,64,24 0x010106 @th,288,48 ${packed(mac)} accept
    ether type ip udp dport { 67, 68 } drop
    ether type ip ip saddr ${ip} accept

    # IPv6 with the address that follows from the hardware address (RFC 4291, appendix A). Nobody but the server is a router;
    # neighbour advertisements (RFC 4861) are of this address only.
    ether type ip6 ip6 saddr ${own6} icmpv6 type { nd-router-advert, nd-redirect } drop
    ether type ip6 ip6 saddr ${own6} icmpv6 type nd-neighbor-advert @th,64,128 != ${packed(expanded(own6))} drop
    ether type ip6 ip6 saddr ${own6} accept
    # While it takes that address.
    ether type ip6 ip6 saddr :: icmpv6 type { nd-router-solicit, mld-listener-report, mld2-listener-report } accept
    ether type ip6 ip6 saddr :: icmpv6 type nd-neighbor-solicit @th,64,128 ${packed(expanded(own6))} accept
  }
}
`;
}

/** The IPv6 address that an adapter gives itself: fe80::/64 and the modified EUI-64 of its hardware address. */
export function linkLocal(mac: string): string {
  const [first = 0, ...others] = mac.split(':').map((part) => Number.parseInt(part, 16));
  const bytes = [first ^ 2, ...others.slice(0, 2), 0xff, 0xfe, ...others.slice(2)];
  const words = [0, 2, 4, 6].map((at) => ((bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)).toString(16));
  return `fe80::${words.join(':')}`;
}

/** Its 128 bits as 32 digits. */
function expanded(address: string): string {
  const words = address.slice('fe80::'.length).split(':');
  return `fe80${'0'.repeat(12)}${words.map((word) => word.padStart(4, '0')).join('')}`;
}
