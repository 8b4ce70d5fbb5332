import type { DhcpRequest, Lease } from '../network/index.ts';
import type { Database, Log } from '../platform/index.ts';
import type { DeviceTables } from './tables.ts';

/** What devices ask of walt-net. */
export interface DeviceNetwork {
  leases(): Promise<Lease[]>;
  /** Whether DHCP lends this address to machines that nobody knows. */
  isLent(ip: string): boolean;
  /** By hardware address. */
  ports(): Promise<Map<string, string>>;
  hearDhcp(receive: (request: DhcpRequest) => void): Promise<{ close(): Promise<void> }>;
}

/** A node, as far as devices must know of it. */
export interface NodeAddress {
  mac: string;
  ip: string;
  name: string;
}

/** What devices stand on. */
export interface Surroundings {
  database: Database<DeviceTables>;
  network: DeviceNetwork;
  nodes: {
    all(): Promise<readonly NodeAddress[]>;
    /** Called for each machine that asks for an address, node or not. */
    heard?(mac: string): void;
  };
  limits: { unknownDevices: number };
  log: Log;
}
