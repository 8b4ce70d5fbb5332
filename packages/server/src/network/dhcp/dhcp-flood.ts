/**
 * Machines that nobody knows may ask DHCP so often, all together, and no more: whoever makes up thousands of them would keep dnsmasq
 * from those that are known, since each new lease costs it a file, and each search in a full range a walk over all leases.
 */
import { nft } from '../nft.ts';

/** Requests in a second; a machine's firmware, its loader and its system ask with two each. */
export const RATE = 50;
/** Requests at once: a rack of new machines that gets its power. */
export const BURST = 500;

/** Lets requests of these addresses pass whatever comes. Replaces what was there in one step. Throws ExternalError without nft. */
export async function boundUnknown(bridge: string, known: readonly string[]): Promise<void> {
  await nft(floodRules(bridge, known));
}

/**
 * In the language of nft(8). The server's leg of the bridge sees a frame before dnsmasq, and who else listens. Who asks is told by
 * the hardware address in the request (chaddr, RFC 2131), as dnsmasq tells it.
 */
export function floodRules(bridge: string, known: readonly string[]): string {
  const table = `walt-dhcp-${bridge}`;
  const chaddr = '@th,288,48';
  const numbers = known.map((mac) => `0x${mac.replaceAll(':', '')}`);
  const elements = numbers.length === 0 ? '' : `\n    elements = { ${numbers.join(', ')} }`;
  return `add table netdev ${table}
delete table netdev ${table}
table netdev ${table} {
  set known {
    typeof ${chaddr}${elements}
  }
  chain requests {
    type filter hook ingress device "${bridge}" priority 0; policy accept;
    udp dport 67 ${chaddr} != @known limit rate over ${RATE}/second burst ${BURST} packets drop
  }
}
`;
}
