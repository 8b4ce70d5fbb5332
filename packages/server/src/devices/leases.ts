/** What leases tell of devices. Pure. */
import { type Lease, UNKNOWN_LEASE_SECONDS } from '../network/index.ts';
import { nothingKnown } from './facts.ts';
import type { Device } from './store.ts';

/** Seconds after which an unknown device that nobody has named, and that is silent, is forgotten. */
const MEMORY = 30 * 86_400;

/**
 * Devices that are new or have changed, by what DHCP lends to machines that nobody knows. `nodes`: addresses by hardware address. So
 * those are known, too, that came while nobody heard them.
 */
export function afterLeases(
  known: ReadonlyMap<string, Device>,
  leases: readonly Lease[],
  nodes: ReadonlyMap<string, string>,
  now: number,
): Device[] {
  const lent = new Map(leases.filter(({ mac }) => !nodes.has(mac)).map((lease) => [lease.mac, lease]));
  const macs = new Set([...known.keys(), ...lent.keys()]);
  return [...macs].flatMap((mac) => {
    const lease = lent.get(mac);
    // It was renewed so long before its end, unless it is the longer one of a node that is none any more.
    const renewed = lease ? lease.expires - UNKNOWN_LEASE_SECONDS : 0;
    const before = known.get(mac) ?? newDevice(mac, Math.min(now, renewed));
    const after: Device = {
      ...before,
      ip: nodes.get(mac) ?? lease?.ip ?? null,
      // A node has its name there.
      name: nodes.has(mac) ? null : before.name,
      last: renewed > now ? before.last : Math.max(before.last, renewed),
    };
    const isSame = after.ip === before.ip && after.name === before.name && after.last === before.last;
    return isSame && known.has(mac) ? [] : [after];
  });
}

/** Heard for the first time now. */
export function newDevice(mac: string, now: number): Device {
  return { mac, name: null, ip: null, facts: nothingKnown, first: now, last: now };
}

/** Hardware addresses to forget. Anybody on walt-net can make machines up: those that nobody has named are `limit` at most. */
export function needless(
  known: ReadonlyMap<string, Device>,
  nodes: ReadonlyMap<string, string>,
  limit: number,
  now: number,
): string[] {
  return [...known.values()]
    .filter(({ mac, name }) => name === null && !nodes.has(mac))
    .sort((one, other) => other.last - one.last)
    .filter(({ last }, index) => index >= limit || now - last > MEMORY)
    .map(({ mac }) => mac);
}
