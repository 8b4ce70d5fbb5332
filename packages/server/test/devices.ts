/** What devices hear of walt-net, said by tests. */
import { Devices } from '../src/devices/index.ts';
import type { DhcpRequest, Lease, Network } from '../src/network/index.ts';
import { isIn, type Subnet } from '../src/network/subnet.ts';
import { quiet } from './platform.ts';

export class PlayedNeighbours
  implements Pick<Network, 'leases' | 'isLent' | 'ports' | 'hearDhcp' | 'forgetLeases' | 'mac'>
{
  readonly lent: Lease[] = [];
  readonly plugged = new Map<string, string>();
  readonly #subnet: Subnet;
  #ear: (request: DhcpRequest) => void = () => {};

  constructor(subnet: Subnet) {
    this.#subnet = subnet;
  }

  /** A machine asks for an address, and gets it, if one is given. */
  ask(mac: string, request: Partial<DhcpRequest> = {}, ip?: string): void {
    if (ip !== undefined) {
      this.lent.push({ mac, ip, hostname: null, expires: Math.floor(Date.now() / 1000) + 3600 });
    }
    const silent = { hostname: null, vendorClass: null, userClass: null, architecture: null, uuid: null };
    this.#ear({ ...silent, ...request, mac });
  }

  leases = async () => [...this.lent];
  isLent = (ip: string) => isIn(this.#subnet.dynamic, ip);
  ports = async () => new Map(this.plugged);
  mac = async () => '02:00:00:00:00:01';

  async hearDhcp(receive: (request: DhcpRequest) => void) {
    this.#ear = receive;
    return {
      close: async () => {
        this.#ear = () => {};
      },
    };
  }

  async forgetLeases(mac: string): Promise<void> {
    for (const lease of this.lent.filter((one) => one.mac === mac))
      this.lent.splice(this.lent.indexOf(lease), 1);
  }
}

/** Devices of a network on which nobody is heard but those that tests play. */
export function openDevices(
  database: Parameters<typeof Devices.open>[0]['database'],
  network: PlayedNeighbours,
  nodes: Parameters<typeof Devices.open>[0]['nodes'],
): Promise<Devices> {
  return Devices.open({ database, network, nodes, limits: { unknownDevices: 1000 }, log: quiet });
}
