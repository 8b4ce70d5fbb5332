/** What may pass through the namespace, in the language of nft(8). Pure. */

export interface Passage {
  /** Of walt-net. */
  bridge: string;
  /** The server's address there. */
  server: string;
  /** The link to slirp4netns. */
  outside: string;
  /** Addresses of nodes that may go out. */
  nodes: readonly string[];
  /** Networks that none of them may get to. */
  never: readonly string[];
  /** Where names of the outside are resolved, on the server. */
  dnsPort: number;
}

export const TABLE = 'walt-gateway';

/** Connections of one node at a time: each takes a descriptor of slirp4netns, which all nodes share. */
export const MOST_CONNECTIONS = 1024;

/**
 * Replaces what was there in one step. Each packet is looked at, not only the first of a connection: who loses the permission is cut
 * off at once. Nothing passes by IPv6, nor from one link to another than these two.
 */
export function passageRules({ bridge, server, outside, nodes, never, dnsPort }: Passage): string {
  const dns = `iifname "${bridge}" ip saddr @nodes ip daddr ${server} meta l4proto { tcp, udp } th dport 53`;
  return `${closingRules()}
table inet ${TABLE} {
  set nodes { type ipv4_addr; elements = { ${nodes.join(', ')} }; }
  set never { type ipv4_addr; flags interval; auto-merge; elements = { ${never.join(', ')} }; }
  set connections { type ipv4_addr; size 65536; flags dynamic; }

  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "${outside}" oifname "${bridge}" ip daddr @nodes ct state established,related accept
    iifname "${outside}" drop
    iifname "${bridge}" oifname "${outside}" ip saddr @nodes ip daddr != @never jump out
    reject with icmpx admin-prohibited
  }
  chain out {
    ct state new add @connections { ip saddr ct count over ${MOST_CONNECTIONS} } reject with icmpx admin-prohibited
    accept
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "${outside}" ct state != { established, related } drop
    iifname "${bridge}" meta l4proto { tcp, udp } th dport ${dnsPort} ip saddr != @nodes drop
  }
  chain names {
    type nat hook prerouting priority dstnat; policy accept;
    ${dns} redirect to :${dnsPort}
  }
  chain addresses {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${outside}" masquerade
  }
}
`;
}

/** Takes the table away, be it there or not. */
export function closingRules(): string {
  return `add table inet ${TABLE}\ndelete table inet ${TABLE}\n`;
}
