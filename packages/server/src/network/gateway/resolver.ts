/** Names of the outside, for nodes that may go there: a dnsmasq of its own, since the one of walt-net tells all nodes the same. Pure. */
import { DOMAIN } from '../dhcp/index.ts';

/** The configuration file; `upstream` resolves as the server does. */
export function renderResolver(options: {
  /** The server's address on walt-net. */
  server: string;
  subnet: string;
  port: number;
  upstream: string;
}): string {
  const { server, subnet, port, upstream } = options;
  const lines = [
    'keep-in-foreground',
    'log-facility=-',
    'pid-file=',
    'user=root',
    'group=root',
    `port=${port}`,
    `listen-address=${server}`,
    'bind-interfaces',
    'no-resolv',
    'no-poll',
    'no-hosts',
    // Nodes' own names, with and without the domain, and what their addresses are called.
    `server=/${DOMAIN}/${server}`,
    `server=//${server}`,
    `rev-server=${subnet},${server}`,
    `server=${upstream}`,
    // There is no way out by IPv6: programs would try it first.
    'filter-AAAA',
    'cache-size=1000',
  ];
  return `${lines.join('\n')}\n`;
}
