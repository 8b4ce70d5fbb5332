import { existsSync } from 'node:fs';
import { type LinkShape, type NetworkSpec, WALT_NET } from '@walt/contract';
import { isExternalError, UserError } from '../../platform/index.ts';
import { ip, type Link, links } from '../ip.ts';
import { nft } from '../nft.ts';
import { setSysctl } from '../sysctl.ts';
import { closedRules, closingRules, stationRules } from './rules.ts';
import { setShape, whyNoShape } from './shape.ts';

/** What a tap of a node leads to. */
export interface NodeTap {
  tap: string;
  /** Number of the node, which the tap's name tells. */
  node: number;
  /** Null: none, since a server ended when it made it. */
  network: string | null;
  /** Whether a machine has it open. */
  isUsed: boolean;
}

const TAP = /^vm(\d+)\./;
const BRIDGE = 'n-';
/** Of a tap that is made only to see what the kernel can do. */
const PROBE = 'walt-probe';

/**
 * Bridges in the namespace that we are in, one for each network that a node names, as long as one does. Whatever is sent there ends
 * there: the server hears nothing of it.
 */
export class NodeNetworks {
  /** Those that there are, and their networks. */
  readonly #taps = new Map<string, string | null>();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor() {}

  /** Adopts what is there; bridges of which a server ended before it gave them a tap go. */
  static async open(): Promise<NodeNetworks> {
    const networks = new NodeNetworks();
    const found = await links();
    for (const link of found) if (isTap(link)) networks.#taps.set(link.ifname, networkOf(link.master));
    for (const { ifname, linkinfo } of found) {
      const network = networkOf(ifname);
      if (network !== null && linkinfo?.info_kind === 'bridge') await networks.#removeIfEmpty(network);
    }
    return networks;
  }

  /**
   * Throws UserError UNAVAILABLE when this machine cannot have such networks, be it for want of a program or of a part of the kernel.
   */
  async require(networks: readonly NetworkSpec[]): Promise<void> {
    const shapes = networks.filter(
      ({ bandwidth, latency }) => bandwidth !== undefined || latency !== undefined,
    );
    const isOwn = networks.some(({ name }) => name !== WALT_NET);
    if (!isOwn && shapes.length === 0) return;
    await this.#inTurn(async () => {
      await removeLink(PROBE);
      await ip('tuntap', 'add', 'dev', PROBE, 'mode', 'tap');
      try {
        if (isOwn) await nft(closedRules(PROBE));
        for (const shape of shapes) refuse(shape, await whyNoShape(PROBE, shape));
      } catch (error) {
        if (!isExternalError(error)) throw error;
        throw new UserError(
          'UNAVAILABLE',
          `This server cannot have such networks of nodes: ${error.message}`,
          'Ask the administrator to mend that. Nothing was changed.',
        );
      } finally {
        await removeLink(PROBE);
      }
    });
  }

  /** A tap on that network, up, through which its node sends from that hardware address only. Idempotent. */
  connect(tap: string, { name, ...shape }: NetworkSpec, mac: string): Promise<void> {
    return this.#inTurn(async () => {
      const found = await links();
      const bridge = BRIDGE + name;
      if (!found.some(({ ifname }) => ifname === bridge)) await makeBridge(bridge);
      await closeBridge(bridge);
      const before = found.find(({ ifname }) => ifname === tap);
      if (!before) await ip('tuntap', 'add', 'dev', tap, 'mode', 'tap');
      this.#taps.set(tap, name);
      await nft(stationRules(tap, mac));
      await setShape(tap, shape, before?.qdisc);
      await withoutIpv6(tap);
      await ip('link', 'set', tap, 'master', bridge, 'up');
    });
  }

  /** All taps of nodes on networks of their own. */
  async look(): Promise<NodeTap[]> {
    if (this.#taps.size === 0) return [];
    const used = new Set((await links()).filter(hasReader).map(({ ifname }) => ifname));
    return [...this.#taps].map(([tap, network]) => ({
      tap,
      node: Number(TAP.exec(tap)?.[1]),
      network,
      isUsed: used.has(tap),
    }));
  }

  /** Takes these away, and networks on which nobody is then. Idempotent. */
  remove(taps: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      for (const tap of taps) {
        const network = this.#taps.get(tap);
        await removeLink(tap);
        this.#taps.delete(tap);
        if (typeof network === 'string') await this.#removeIfEmpty(network);
      }
    });
  }

  /** Takes away all taps of a node. */
  async removeNode(node: number): Promise<void> {
    await this.remove([...this.#taps.keys()].filter((tap) => Number(TAP.exec(tap)?.[1]) === node));
  }

  async #removeIfEmpty(network: string): Promise<void> {
    if ([...this.#taps.values()].includes(network)) return;
    await removeLink(BRIDGE + network);
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {}); // the caller gets the error
    return result;
  }
}

function isTap({ ifname, linkinfo }: Link): boolean {
  return TAP.test(ifname) && linkinfo?.info_kind === 'tun';
}

function networkOf(bridge: string | undefined): string | null {
  return bridge?.startsWith(BRIDGE) ? bridge.slice(BRIDGE.length) : null;
}

/** A tap has a carrier while a program has it open. */
function hasReader({ flags }: Link): boolean {
  return flags.includes('LOWER_UP');
}

/** Each frame is forwarded at once, to whom it may concern. */
async function makeBridge(name: string): Promise<void> {
  const plain = ['stp_state', '0', 'forward_delay', '0', 'mcast_snooping', '0'];
  await ip('link', 'add', 'name', name, 'type', 'bridge', ...plain);
}

/**
 * A bridge hands its own machine whatever is for all, or for the bridge's hardware address, and Linux answers for all its addresses on
 * each link: without this, a node could speak to the server there in the name of others.
 */
async function closeBridge(name: string): Promise<void> {
  await nft(closedRules(name));
  await withoutIpv6(name);
  await ip('link', 'set', name, 'up');
}

/** The server says nothing there, either. */
async function withoutIpv6(link: string): Promise<void> {
  if (existsSync('/proc/sys/net/ipv6')) await setSysctl(`net/ipv6/conf/${link}/disable_ipv6`, '1');
}

/** With its rules. Idempotent. */
async function removeLink(name: string): Promise<void> {
  if ((await links()).some(({ ifname }) => ifname === name)) await ip('link', 'delete', name);
  try {
    // Some kernels keep them for the next link of that name.
    await nft(closingRules(name));
  } catch (error) {
    // Without nft, there were none.
    if (!isExternalError(error)) throw error;
  }
}

function refuse({ latency }: LinkShape, why: string | undefined): void {
  if (why === undefined) return;
  const option = latency === undefined ? 'bw' : 'lat';
  throw new UserError(
    'UNAVAILABLE',
    `This server cannot have networks with ${option}: ${why}.`,
    `Leave ${option} out, or ask the administrator for a kernel with it. Nothing was changed.`,
  );
}
