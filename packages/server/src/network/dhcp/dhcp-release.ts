import { createLog, UdpPort } from '../../platform/index.ts';
import { isIn, type Subnet } from '../subnet.ts';
import type { Lease } from './dnsmasq-config.ts';

const SERVER_PORT = 67;
const log = createLog('network');

/**
 * Gives a lease back in its client's name. Sent to the subnet's broadcast address: the kernel then hands it to the DHCP
 * server here as something that came in from the bridge; what we sent to our own address would come in from `lo`.
 */
export async function sendRelease(subnet: Subnet, lease: Pick<Lease, 'mac' | 'ip'>): Promise<void> {
  const socket = await UdpPort.open({ name: 'DHCP', log, address: subnet.server, port: 0, broadcast: true });
  const packet = releasePacket(subnet.server, lease);
  await new Promise<void>((resolve) => {
    socket.send(packet, { port: SERVER_PORT, address: subnet.broadcast }, resolve);
  });
  await socket.close();
}

/** A DHCPRELEASE (RFC 2131 section 4.4.6; field offsets in its figure 1, options in RFC 2132). */
export function releasePacket(server: string, lease: Pick<Lease, 'mac' | 'ip'>): Buffer {
  const fixed = Buffer.alloc(236);
  fixed[0] = 1; // op: request
  fixed[1] = 1; // htype: Ethernet
  fixed[2] = 6; // hlen
  fixed.writeUInt32BE(Math.floor(Math.random() * 2 ** 32), 4); // xid
  fixed.set(bytes(lease.ip), 12); // ciaddr
  fixed.set(Buffer.from(lease.mac.replaceAll(':', ''), 'hex'), 28); // chaddr
  const cookie = [99, 130, 83, 99];
  const messageType = [53, 1, 7];
  const serverIdentifier = [54, 4, ...bytes(server)];
  return Buffer.concat([fixed, Buffer.from([...cookie, ...messageType, ...serverIdentifier, 255])]);
}

/**
 * Leases that must not run on: those of a permanent address whose node is gone, and those that keep an address from the node
 * that now has it. DHCP gives neither to anyone else until they end.
 */
export function staleLeases(
  subnet: Subnet,
  leases: readonly Lease[],
  hosts: readonly { mac: string; ip: string }[],
): Lease[] {
  const addresses = new Map(hosts.map(({ mac, ip }) => [mac, ip]));
  const owners = new Map(hosts.map(({ mac, ip }) => [ip, mac]));
  return leases.filter(({ mac, ip }) => {
    if (owners.get(ip) === mac) return false;
    return isIn(subnet.permanent, ip) || owners.has(ip) || addresses.has(mac);
  });
}

function bytes(address: string): number[] {
  return address.split('.').map(Number);
}
