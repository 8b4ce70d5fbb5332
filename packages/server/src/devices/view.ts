/** Devices as users see them. Pure. */
import type { Device as DeviceView, Node } from '@walt/contract';
import { recentNotes } from './facts.ts';
import type { Device } from './store.ts';

/** What a device without a name of its own is called: by its hardware address, so that no two are called the same. */
const UNNAMED = 'unknown-';

export function nameOf({ name, mac }: Pick<Device, 'name' | 'mac'>): string {
  return name ?? `${UNNAMED}${mac.replaceAll(':', '')}`;
}

/** Kinds of firmware (IANA, "Processor Architecture Types" of RFC 4578's option 93). */
const FIRMWARE: Readonly<Record<number, string>> = {
  0: 'BIOS',
  6: 'UEFI, x86 of 32 bits',
  7: 'UEFI, x86-64',
  9: 'UEFI, x86-64',
  10: 'UEFI, Arm of 32 bits',
  11: 'UEFI, Arm of 64 bits',
  15: 'UEFI, x86 of 32 bits, by HTTP',
  16: 'UEFI, x86-64, by HTTP',
  18: 'UEFI, Arm of 32 bits, by HTTP',
  19: 'UEFI, Arm of 64 bits, by HTTP',
  21: 'U-Boot, Arm of 32 bits',
  22: 'U-Boot, Arm of 64 bits',
  41: 'Raspberry Pi',
};

interface Around {
  nodes: readonly Pick<Node, 'name' | 'ip' | 'mac' | 'type'>[];
  devices: readonly Device[];
  vendors: ReadonlyMap<string, string>;
  server: { ip: string; mac: string };
  /** Unix time in seconds. */
  now: number;
}

/** The server, nodes in their order, then the others, who was heard last first. */
export function deviceViews({ nodes, devices, vendors, server, now }: Around): DeviceView[] {
  const known = new Map(devices.map((device) => [device.mac, device]));
  const view = (mac: string) => told(known.get(mac), vendors.get(mac), now);
  const ofNodes = nodes.map(({ name, ip, mac, type }) => ({
    name,
    ip,
    mac,
    type: `node (${type})`,
    ...view(mac),
  }));
  const taken = new Set(nodes.map(({ mac }) => mac));
  const others = devices
    .filter(({ mac }) => !taken.has(mac) && mac !== server.mac)
    .sort((one, other) => other.last - one.last)
    .map((device) => ({
      ...{ name: nameOf(device), ip: device.ip, mac: device.mac, type: 'unknown' },
      ...view(device.mac),
    }));
  const own = { name: 'walt-server', ip: server.ip, mac: server.mac, type: 'server' };
  return [{ ...own, ...told(undefined, undefined, now) }, ...ofNodes, ...others];
}

function told(device: Device | undefined, vendor: string | undefined, now: number) {
  const { facts } = device ?? {};
  const architecture = facts?.architecture ?? null;
  return {
    vendor: vendor ?? null,
    port: facts?.port?.value ?? null,
    neighbour: facts?.neighbour ?? null,
    hostname: facts?.hostname ?? null,
    vendorClass: facts?.vendorClass ?? null,
    userClass: facts?.userClass ?? null,
    firmware: architecture === null ? null : (FIRMWARE[architecture] ?? `kind ${architecture}`),
    files: [...(facts?.files ?? [])],
    first: device?.first ?? null,
    last: device?.last ?? null,
    notes: recentNotes(facts?.notes ?? [], now),
  };
}
