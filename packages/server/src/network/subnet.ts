import { UserError } from '../platform/index.ts';

/** walt-net's IPv4 addresses; all fields are dotted, in the order of their values. */
export interface Subnet {
  cidr: string;
  prefix: number;
  netmask: string;
  broadcast: string;
  /** The first address: bridge, DHCP, DNS, NFS, node-facing HTTP. */
  server: string;
  /** Addresses that are given for good: the lower half, without the server's. */
  permanent: AddressRange;
  /** Addresses that DHCP lends to machines which it does not know: the upper half. So neither can take the other's. */
  dynamic: AddressRange;
}

export interface AddressRange {
  first: string;
  last: string;
}

/** Throws UserError INVALID when the subnet is too small or too large to be one. */
export function parseSubnet(text: string): Subnet {
  const [address = '', length = ''] = text.split('/');
  const prefix = Number(length);
  if (!/^\d+(\.\d+){3}\/\d+$/.test(text) || address.split('.').some((byte) => Number(byte) > 255)) {
    throw new UserError(
      'INVALID',
      `${JSON.stringify(text)} is no subnet.`,
      'Write an address and bits, as 10.73.0.0/16.',
    );
  }
  if (!(prefix >= 8 && prefix <= 28)) {
    throw new UserError(
      'INVALID',
      `The subnet ${text} has a prefix of ${length} bits.`,
      'Set network.subnet to one of 8 to 28 bits, as 10.73.0.0/16.',
    );
  }
  const size = 2 ** (32 - prefix);
  const base = Math.floor(toNumber(address) / size) * size;
  return {
    cidr: `${toAddress(base)}/${prefix}`,
    prefix,
    netmask: toAddress(2 ** 32 - size),
    broadcast: toAddress(base + size - 1),
    server: toAddress(base + 1),
    permanent: { first: toAddress(base + 2), last: toAddress(base + size / 2 - 1) },
    dynamic: { first: toAddress(base + size / 2), last: toAddress(base + size - 2) },
  };
}

/**
 * The lowest permanent address that is not taken; when there is none, one of those that DHCP lends.
 * Throws UserError UNAVAILABLE when the subnet is full.
 */
export function lowestFree(subnet: Subnet, isTaken: (address: string) => boolean): string {
  for (let value = toNumber(subnet.permanent.first); value <= toNumber(subnet.dynamic.last); value++) {
    const address = toAddress(value);
    if (!isTaken(address)) return address;
  }
  throw noneFree(subnet);
}

/** The highest permanent address that is not taken. Throws as `lowestFree`. */
export function highestFree(subnet: Subnet, isTaken: (address: string) => boolean): string {
  for (let value = toNumber(subnet.permanent.last); value >= toNumber(subnet.permanent.first); value--) {
    const address = toAddress(value);
    if (!isTaken(address)) return address;
  }
  throw noneFree(subnet);
}

function noneFree(subnet: Subnet): UserError {
  return new UserError(
    'UNAVAILABLE',
    `All addresses of the subnet ${subnet.cidr} are taken.`,
    'Remove nodes that are no longer used, or set a larger network.subnet.',
  );
}

/** The first addresses of a range, so many at most. */
export function firstOf(range: AddressRange, most: number): AddressRange {
  const last = Math.min(toNumber(range.last), toNumber(range.first) + most - 1);
  return { first: range.first, last: toAddress(last) };
}

export function isIn(range: AddressRange, address: string): boolean {
  const value = toNumber(address);
  return toNumber(range.first) <= value && value <= toNumber(range.last);
}

function toNumber(address: string): number {
  return address.split('.').reduce((value, byte) => value * 256 + Number(byte), 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
