/** Networks that virtual nodes are on, as the value of their setting tells them. */

/** The one that all nodes boot from. */
export const WALT_NET = 'walt-net';
export const MAX_NETWORKS = 8;
/** Letters at most: the name of its bridge has two more, and the kernel takes 15 (IFNAMSIZ). */
const MAX_NAME = 13;
const NAME = /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/;

/** What a node is sent over a network at most, and how late. */
export interface LinkShape {
  /** Bits per second. */
  bandwidth?: number;
  /** Microseconds. */
  latency?: number;
}

export interface NetworkSpec extends LinkShape {
  name: string;
}

/** As users are told. */
export const NETWORKS_TAKE =
  `${WALT_NET} and up to ${MAX_NETWORKS - 1} other names, as ${WALT_NET},home-net[bw=100Mbps,lat=10ms]: ` +
  `bw in Mbps or Gbps, up to 100Gbps; lat in us or ms, up to 10000ms; ` +
  `a name has up to ${MAX_NAME} lower-case letters, digits and dashes`;

/** As `walt-net,home-net[bw=100Mbps]`: walt-net first, the others as they are given. Undefined: it is no such value. */
export function parseNetworks(value: string): NetworkSpec[] | undefined {
  // A comma between brackets parts options.
  const networks = value.split(/,(?![^[]*\])/).map(parseNetwork);
  const found = networks.filter((network) => network !== undefined);
  const names = new Set(found.map(({ name }) => name));
  const isWhole = found.length === networks.length && names.size === networks.length;
  if (!isWhole || networks.length > MAX_NETWORKS || !names.has(WALT_NET)) return undefined;
  return found.toSorted((one, other) => Number(other.name === WALT_NET) - Number(one.name === WALT_NET));
}

function parseNetwork(text: string): NetworkSpec | undefined {
  const [, name, options] = /^([^[\]]*)(?:\[([^[\]]*)\])?$/.exec(text) ?? [];
  if (name === undefined || !NAME.test(name) || name.length > MAX_NAME) return undefined;
  const shape = options === undefined ? {} : parseShape(options);
  return shape && { name, ...shape };
}

/** By the name of the unit in lower case: any case is taken. */
interface Unit {
  key: keyof LinkShape;
  option: string;
  /** Of the key's unit. */
  factor: number;
  most: number;
}

const UNITS: Readonly<Record<string, Unit>> = {
  mbps: { key: 'bandwidth', option: 'bw', factor: 1e6, most: 1e11 },
  gbps: { key: 'bandwidth', option: 'bw', factor: 1e9, most: 1e11 },
  us: { key: 'latency', option: 'lat', factor: 1, most: 1e7 },
  ms: { key: 'latency', option: 'lat', factor: 1000, most: 1e7 },
};

function parseShape(options: string): LinkShape | undefined {
  const shape: LinkShape = {};
  for (const text of options.toLowerCase().split(',')) {
    const [, option, count, word = ''] = /^([a-z]+)=([1-9]\d{0,7})([a-z]+)$/.exec(text) ?? [];
    const unit = Object.hasOwn(UNITS, word) ? UNITS[word] : undefined;
    if (unit === undefined || unit.option !== option || shape[unit.key] !== undefined) return undefined;
    const amount = Number(count) * unit.factor;
    if (amount > unit.most) return undefined;
    shape[unit.key] = amount;
  }
  return shape;
}
