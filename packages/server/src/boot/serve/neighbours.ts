import { readFile } from 'node:fs/promises';

/** Hardware address behind an IPv4 address on a directly attached network, from /proc/net/arp text (proc(5)). */
export function hardwareAddress(arpTable: string, ip: string): string | undefined {
  for (const line of arpTable.split('\n').slice(1)) {
    const [address, , flags = '0', mac] = line.split(/\s+/);
    // ATF_COM: the entry is complete, its address was really seen.
    if (address === ip && (Number(flags) & 0x2) !== 0) return mac;
  }
  return undefined;
}

/** Who really sent a request from `ip`, whatever the request says. Undefined for the server's own addresses. */
export async function neighbour(ip: string): Promise<string | undefined> {
  return hardwareAddress(await readFile('/proc/net/arp', 'utf8'), ip);
}
