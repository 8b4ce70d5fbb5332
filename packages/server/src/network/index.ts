/** walt-net: the platform's namespace, its bridge, DHCP, DNS and NFS; other networks of nodes. Alone knows ip, dnsmasq and nfs-ganesha. */
import type { LinkShape } from '@walt/contract';
import {
  type Config,
  hostNamespace,
  isExternalError,
  type Limits,
  type Log,
  type Paths,
  type Programs,
} from '../platform/index.ts';
import type { AdapterStatus } from './adapters/index.ts';
import { Bridge } from './bridge.ts';
import type { DhcpRequest, ForeignServer, HostEntry, Lease } from './dhcp/index.ts';
import { boundUnknown, Dnsmasq, hearDhcp } from './dhcp/index.ts';
import { ExposedPorts } from './exposed/index.ts';
import { Gateway } from './gateway/index.ts';
import { learnedPorts } from './ip.ts';
import type { PersistExport, TreeExport } from './nfs/index.ts';
import { NfsServer, openPortmapper, type Portmapper } from './nfs/index.ts';
import { NodeNetworks } from './node-networks/index.ts';
import { Segments } from './segments.ts';
import { type AddressRange, highestFree, isIn, lowestFree, parseSubnet, type Subnet } from './subnet.ts';
import type { Station } from './tap-frames.ts';
import { type TunnelEnd, Tunnels, type TunnelWay } from './tunnels.ts';

export { type HostLink, isNamed, look, reasonAgainst, releaseAdapters, whyAbsent } from './adapters/index.ts';
export { type DhcpRequest, type HostEntry, type Lease, textOf, UNKNOWN_LEASE_SECONDS } from './dhcp/index.ts';

export { ensureNamespace, removeNamespace } from './namespace.ts';
export type { PersistExport, TreeExport } from './nfs/index.ts';
export { PORTMAP_PORT, PROCEDURES, volumesServerConfig } from './nfs/index.ts';

export type { NodeTap } from './node-networks/index.ts';
export { parseSubnet } from './subnet.ts';
export { frameRules } from './tap-frames.ts';
export { removeTunnelRules } from './tunnels.ts';

export type HostPorts = Pick<ExposedPorts, keyof ExposedPorts>;
export type OtherNetworks = Pick<NodeNetworks, keyof NodeNetworks>;

const BRIDGE = 'walt0';
/** Milliseconds. */
const MEND_INTERVAL = 5_000;

export class Network {
  /** The first address of the subnet. */
  readonly server: string;
  /** The addresses that are given for good. */
  readonly permanent: AddressRange;
  /** Those that are lent to machines which are no nodes. */
  readonly dynamic: AddressRange;
  /** Address of all machines there. */
  readonly broadcast: string;
  /** Bits of the subnet's prefix, and the subnet itself. */
  readonly prefix: number;
  readonly cidr: string;
  readonly bridge = BRIDGE;
  /** Those that nodes have beside it. */
  readonly others: OtherNetworks;
  /** Ports of the host that lead to nodes. */
  readonly exposed: HostPorts;
  readonly #subnet: Subnet;
  readonly #bridge: Bridge;
  readonly #dnsmasq: Dnsmasq;
  readonly #nfs: NfsServer;
  readonly #portmapper: Portmapper;
  readonly #segments: Segments;
  readonly #gateway: Gateway;
  readonly #tunnels: Tunnels;
  readonly #mending: NodeJS.Timeout;
  readonly #log: Log;
  #floodable = false;
  /** Addresses of volume servers on hosts. */
  readonly #kept = new Set<string>();

  private constructor(
    subnet: Subnet,
    bridge: Bridge,
    parts: {
      dnsmasq: Dnsmasq;
      nfs: NfsServer;
      portmapper: Portmapper;
      segments: Segments;
      gateway: Gateway;
      others: NodeNetworks;
      exposed: ExposedPorts;
      tunnels: Tunnels;
    },
    log: Log,
  ) {
    this.server = subnet.server;
    this.prefix = subnet.prefix;
    this.cidr = subnet.cidr;
    this.broadcast = subnet.broadcast;
    this.#subnet = subnet;
    this.permanent = subnet.permanent;
    this.dynamic = subnet.dynamic;
    this.#bridge = bridge;
    this.#dnsmasq = parts.dnsmasq;
    this.#nfs = parts.nfs;
    this.#portmapper = parts.portmapper;
    this.#segments = parts.segments;
    this.#gateway = parts.gateway;
    this.#tunnels = parts.tunnels;
    this.others = parts.others;
    this.exposed = parts.exposed;
    this.#log = log;
    const mend = () => {
      this.#nfs
        .mend()
        .catch((error) => log.error('cannot mend what the NFS server exports', { error: String(error) }));
      void this.#segments.mend();
      void this.#gateway.mend();
    };
    this.#mending = setInterval(mend, MEND_INTERVAL).unref();
  }

  /** Brings walt-net up in the namespace that we are in; adopts what runs. Hosts and exports are those of last time. */
  static async open(
    config: { network: Config['network']; limits: Pick<Limits, 'machines' | 'persist' | 'reservedSpace'> },
    paths: Paths,
    programs: Programs,
    log: Log,
  ): Promise<Network> {
    const subnet = parseSubnet(config.network.subnet);
    const bridge = await Bridge.open(BRIDGE, subnet);
    const others = await NodeNetworks.open();
    const { network } = config;
    const { namespace } = network;
    const host = hostNamespace({ network });
    const exposed = new ExposedPorts(host);
    const tunnels = new Tunnels({ bridge: BRIDGE, host, inside: namespace });
    const gateway = await Gateway.open({ subnet, bridge: BRIDGE, namespace, host, paths, programs });
    // Ganesha asks it when it starts.
    const portmapper = await openPortmapper(subnet.server, config.limits.machines);
    // Nothing of ours answers before it is clear that nobody else does.
    const segments = await Segments.open({ network, paths, bridge, server: subnet.server });
    const [dnsmasq, nfs] = await Promise.all([
      Dnsmasq.open({
        subnet,
        bridge: BRIDGE,
        paths,
        programs,
        alone: network.acceptDhcpServers.length === 0,
      }),
      NfsServer.open({
        ...{ subnet, paths, programs, log },
        ...{ persistSize: config.limits.persist, reserved: config.limits.reservedSpace },
      }),
    ]);
    const parts = { dnsmasq, nfs, portmapper, segments, gateway, others, exposed, tunnels };
    return new Network(subnet, bridge, parts, log);
  }

  /** Replaces all permanent DHCP addresses and DNS names (NAME and NAME.walt); resolves when they hold. */
  async setHosts(hosts: readonly HostEntry[]): Promise<void> {
    await this.#boundUnknown(hosts);
    await this.#dnsmasq.setHosts(hosts);
  }

  /** Addresses of nodes that reach what the server reaches, and no others; resolves when it is so. Throws when it cannot be. */
  setRouted(nodes: readonly string[]): Promise<void> {
    return this.#gateway.setNodes(nodes);
  }

  /** A machine without nftables serves all the same; the journal says so once. */
  async #boundUnknown(hosts: readonly HostEntry[]): Promise<void> {
    try {
      await boundUnknown(
        BRIDGE,
        hosts.map(({ mac }) => mac),
      );
      this.#floodable = false;
    } catch (error) {
      if (!isExternalError(error)) throw error;
      if (!this.#floodable)
        this.#log.error('many unknown machines could keep nodes from DHCP', { reason: error.message });
      this.#floodable = true;
    }
  }

  /** Tells of each request that a machine broadcasts to DHCP servers, answered or not. Ends by `close`. */
  hearDhcp(receive: (request: DhcpRequest) => void): Promise<{ close(): Promise<void> }> {
    return hearDhcp(receive);
  }

  /** Whether DHCP lends this address to machines that it does not know. */
  isLent(ip: string): boolean {
    return isIn(this.#subnet.dynamic, ip);
  }

  /** Port of the bridge on which each hardware address was last heard: an adapter of the server, or a virtual node's tap. */
  ports(): Promise<Map<string, string>> {
    return learnedPorts(BRIDGE);
  }

  /** Ends what DHCP lent to that hardware address. */
  forgetLeases(mac: string): Promise<void> {
    return this.#dnsmasq.forget(mac);
  }

  /** Hardware address of the server on walt-net. */
  mac(): Promise<string> {
    return this.#bridge.mac();
  }

  /** Replaces all exports of single nodes; resolves when they can mount them. */
  setExports(exports: readonly PersistExport[], trees: readonly TreeExport[] = []): Promise<void> {
    return this.#nfs.setExports(exports, trees);
  }

  /** Programs go on; what is answered in this process is not. */
  async close(): Promise<void> {
    clearInterval(this.#mending);
    await this.#segments.close();
    await this.exposed.close();
    await this.#gateway.close();
    await this.#portmapper.close();
  }

  /** Adapters of this machine that the configuration names, and how it is with them. */
  get adapters(): readonly AdapterStatus[] {
    return this.#segments.adapters;
  }

  /** DHCP servers of others that answer behind them. */
  get dhcpServers(): ForeignServer[] {
    return this.#segments.servers;
  }

  leases(): Promise<Lease[]> {
    return this.#dnsmasq.leases();
  }

  /** The lowest address that is neither in `taken` nor kept nor leased. Throws UserError UNAVAILABLE when there is none. */
  async freeAddress(taken: ReadonlySet<string>): Promise<string> {
    const leased = new Set((await this.leases()).map((lease) => lease.ip));
    return lowestFree(
      this.#subnet,
      (address) => taken.has(address) || leased.has(address) || this.#kept.has(address),
    );
  }

  /** No node gets this address. */
  keepAddress(address: string): void {
    this.#kept.add(address);
  }

  /** The highest permanent address that is neither in `taken` nor kept: nodes get theirs from below. Throws as `freeAddress`. */
  highestAddress(taken: ReadonlySet<string>): string {
    return highestFree(this.#subnet, (address) => taken.has(address) || this.#kept.has(address));
  }

  /** The ways to hosts that run virtual nodes: these, and no others. `way`: this machine's end of all of them. */
  setTunnels(ends: readonly TunnelEnd[], way: TunnelWay): Promise<void> {
    return this.#tunnels.set(ends, way);
  }

  /** A tap on the bridge, up, for one node; idempotent. */
  ensureTap(name: string, station: Station, shape: LinkShape): Promise<void> {
    return this.#bridge.ensureTap(name, station, shape);
  }

  /** Why virtual nodes can send frames in the name of others; undefined when they cannot. */
  get unguarded(): string | undefined {
    return this.#bridge.unguarded;
  }

  /** Idempotent. */
  removeTap(name: string): Promise<void> {
    return this.#bridge.removeTap(name);
  }

  taps(): Promise<string[]> {
    return this.#bridge.taps();
  }
}
