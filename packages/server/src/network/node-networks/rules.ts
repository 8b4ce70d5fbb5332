/** Which frames come in by links of networks that nodes have beside walt-net, in the language of nft(8). Pure. */

/** Through the tap of a node: only what has its own hardware address. What it says is no business of the server. */
export function stationRules(tap: string, mac: string): string {
  return frameRules(tap, `ether saddr ${mac} accept`);
}

/** Into the server itself: nothing. */
export function closedRules(link: string): string {
  return frameRules(link, '');
}

/** Takes the rules of a link away, be they there or not. */
export function closingRules(link: string): string {
  return `add table netdev walt-${link}\ndelete table netdev walt-${link}\n`;
}

function frameRules(link: string, accepted: string): string {
  return `${closingRules(link)}
table netdev walt-${link} {
  chain frames {
    type filter hook ingress device "${link}" priority 0; policy drop;
    ${accepted}
  }
}
`;
}
