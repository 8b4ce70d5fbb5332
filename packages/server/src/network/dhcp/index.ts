/** Addresses and names of nodes. Owns dnsmasq. */

export { boundUnknown } from './dhcp-flood.ts';
export { hearDhcp } from './dhcp-listener.ts';
export { type DhcpRequest, textOf } from './dhcp-request.ts';
export { Dnsmasq } from './dnsmasq.ts';
export {
  DOMAIN,
  type HostEntry,
  type Lease,
  ROUTER_ADDRESS,
  UNKNOWN_LEASE_SECONDS,
} from './dnsmasq-config.ts';
export { type Answers, type ForeignServer, ForeignServers } from './foreign-servers.ts';
