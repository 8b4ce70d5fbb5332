import { createHash } from 'node:crypto';
import * as z from 'zod';
import { createLog, isExternalError, namespaceFile } from '../platform/index.ts';
import { ip, ipIn, links } from './ip.ts';
import { nft } from './nft.ts';

const log = createLog('network');

/** The server's end of the way to a host that runs virtual nodes. */
export interface TunnelEnd {
  host: string;
  /** Of the host. */
  address: string;
  /** 24 bits, which both ends know. */
  number: number;
}

/** The machine's own end: an IPv4 address of it, and a UDP port. */
export interface TunnelWay {
  address: string;
  port: number;
}

/** Bytes of an outer packet: one of 1500 bytes, Ethernet's head, VXLAN's, UDP's and IP's. */
const WHOLE = 1500 + 14 + 8 + 8 + 20;

const PREFIX = 'host-';
/** On the machine's side, which may have several platforms. */
const tableOf = (namespace: string) => `walt-tunnels-${namespace}`;

/**
 * Tunnels (VXLAN, RFC 7348) from walt-net to hosts, one for each, so that the bridge is the switch between them: it learns behind which
 * host a machine is, and copies what is for all (decision 0129). To be used from inside walt-net's namespace.
 */
export class Tunnels {
  readonly #bridge: string;
  /** Names of namespaces: the machine's own, and walt-net's. */
  readonly #host: string;
  readonly #inside: string;
  /** What was made the last time. */
  #made: string | undefined;

  constructor({ bridge, host, inside }: { bridge: string; host: string; inside: string }) {
    this.#bridge = bridge;
    this.#host = host;
    this.#inside = inside;
  }

  /** Makes those that are missing, and takes away all others. Throws ExternalError when the kernel refuses. */
  async set(ends: readonly TunnelEnd[], way: TunnelWay): Promise<void> {
    const wanted = new Map(ends.map((end) => [linkName(end, way), end]));
    const key = [...wanted.keys()].join(' ');
    if (key === this.#made) return;
    const there = (await links()).map(({ ifname }) => ifname).filter((name) => name.startsWith(PREFIX));
    for (const name of there) if (!wanted.has(name)) await ip('link', 'delete', 'dev', name);
    await this.#guard([...wanted.values()], way);
    for (const [name, { host, address, number }] of wanted) {
      if (there.includes(name)) continue;
      // Its outer packets are the machine's own, where it is made; it is a link of walt-net. Without `dev`, packets that are too large
      // for the way are cut in pieces: with it, those of 1500 bytes would be lost without a word.
      const kind = ['type', 'vxlan', 'id', String(number), 'local', way.address, 'remote', address];
      const made = ['link', 'add', 'name', name, 'netns', this.#inside, 'mtu', '1500', ...kind];
      await ipIn(this.#host, ...made, 'dstport', String(way.port));
      await ip('link', 'set', 'dev', name, 'alias', host, 'master', this.#bridge, 'up');
      await this.#tellSize(host, address);
    }
    this.#made = key;
  }

  /** What is cut in pieces is slower, and programs may forbid it. */
  async #tellSize(host: string, address: string): Promise<void> {
    const [route] = z
      .array(z.object({ dev: z.string() }))
      .parse(JSON.parse(await ipIn(this.#host, '-json', 'route', 'get', address)));
    const mtu = (await links(this.#host)).find(({ ifname }) => ifname === route?.dev)?.mtu ?? WHOLE;
    if (mtu >= WHOLE) return;
    const hint = `give ${route?.dev}, and the network behind it, an MTU of ${WHOLE}`;
    log.warn('packets of 1500 bytes are cut in pieces on their way to a host', { host, mtu, hint });
  }

  /** The kernel takes such packets from everybody: only those from the host itself may come in by its tunnel. */
  async #guard(ends: readonly TunnelEnd[], { port }: TunnelWay): Promise<void> {
    const table = tableOf(this.#inside);
    const rules = ends.map(({ address, number }) => `    @th,96,24 ${number} ip saddr != ${address} drop\n`);
    const filled = `table inet ${table} {
  chain tunnels {
${rules.join('')}  }
  chain input {
    type filter hook input priority -10; policy accept;
    udp dport ${port} jump tunnels
  }
}
`;
    const script = `add table inet ${table}\ndelete table inet ${table}\n${ends.length > 0 ? filled : ''}`;
    try {
      await nft(script, namespaceFile(this.#host));
    } catch (error) {
      if (!isExternalError(error)) throw error;
      log.error('others may send in the name of hosts', { reason: error.message });
    }
  }
}

/** Interface names have 15 characters at most. Another way has another name, so that it is made anew. */
function linkName(end: TunnelEnd, way: TunnelWay): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([end, way]))
    .digest('hex');
  return PREFIX + hash.slice(0, 15 - PREFIX.length);
}

/** What tunnels of the platform in that namespace have left on the machine, where we are; they themselves went with the namespace. */
export async function removeTunnelRules(namespace: string): Promise<void> {
  const table = tableOf(namespace);
  try {
    await nft(`add table inet ${table}\ndelete table inet ${table}\n`);
  } catch (error) {
    // Without nft, there are none.
    if (!isExternalError(error)) throw error;
  }
}
