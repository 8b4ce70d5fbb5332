/** Addresses and names of nodes. Owns dnsmasq. */

export { Dnsmasq } from './dnsmasq.ts';
export { type HostEntry, type Lease, ROUTER_ADDRESS } from './dnsmasq-config.ts';
export { type ForeignServer, ForeignServers } from './foreign-servers.ts';
