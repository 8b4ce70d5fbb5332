import { isIPv4 } from 'node:net';
import type { Log } from '../../../platform/index.ts';
import { tunnelNumber } from './job-script.ts';
import type { HostSeen } from './output.ts';

/** The other end of a host's way to walt-net. */
export interface Tunnel {
  host: string;
  /** IPv4 address. */
  address: string;
  number: number;
}

interface Deps {
  platform: string;
  /** Those that should be there, and no others. */
  setTunnels(tunnels: readonly Tunnel[]): Promise<void>;
  /** IPv4 address of a machine, by its name. */
  resolve(name: string): Promise<string>;
  log: Log;
}

/** Sees to it that each host has its way to walt-net. One whose address nobody knows has none, and that is told. */
export async function openWays(hosts: readonly HostSeen[], deps: Deps): Promise<void> {
  const ways = await Promise.all(
    hosts.map(async ({ name, address }): Promise<Tunnel[]> => {
      try {
        const found = isIPv4(address) ? address : await deps.resolve(address);
        return [{ host: name, address: found, number: tunnelNumber(deps.platform, name) }];
      } catch (error) {
        deps.log.warn('the address of a host is not known', { host: name, error: String(error) });
        return [];
      }
    }),
  );
  await deps.setTunnels(ways.flat());
}
