import { existsSync } from 'node:fs';
import type { LinkShape } from '@walt/contract';
import { createLog, isExternalError, UserError } from '../platform/index.ts';
import { ROUTER_ADDRESS } from './dhcp/index.ts';
import { addresses, ip, links } from './ip.ts';
import { setShape } from './node-networks/index.ts';
import type { Subnet } from './subnet.ts';
import { setSysctl } from './sysctl.ts';
import { guardTap, type Station, unguardTap } from './tap-frames.ts';

const log = createLog('network');

/** The switch of walt-net, in the namespace that we are in: the server's own leg, and a tap for each virtual node. */
export class Bridge {
  readonly name: string;
  /** Why taps cannot be guarded; undefined: they are, as far as we know. */
  #unguarded: string | undefined;

  private constructor(name: string) {
    this.name = name;
  }

  /** Makes it, or takes it as it is, and gives it the server's address. */
  static async open(name: string, subnet: Subnet): Promise<Bridge> {
    if (!(await links()).some((link) => link.ifname === name)) {
      // No spanning tree and no learning delay: a node's first DHCP request must not be lost.
      // An address of its own: a bridge without one takes its lowest port's, and changes it under running nodes.
      const created = ['name', name, 'address', randomMac(), 'type', 'bridge'];
      await ip('link', 'add', ...created, 'stp_state', '0', 'forward_delay', '0', 'mcast_snooping', '0');
    }
    // What DHCP servers of others say (dhcp/foreign-servers.ts) comes from addresses to which we have no way back.
    for (const part of ['all', 'default', name]) await setSysctl(`net/ipv4/conf/${part}/rp_filter`, '0');
    // Where the host has br_netfilter loaded, its hooks would see our frames too.
    await setSysctl('net/bridge/bridge-nf-call-iptables', '0');
    const address = `${subnet.server}/${subnet.prefix}`;
    await ip('address', 'replace', address, 'dev', name);
    for (const other of await addresses(name)) {
      // The subnet was another one before.
      if (other !== address) await ip('address', 'delete', other, 'dev', name);
    }
    // Only for the router advertisement that iPXE waits for (dnsmasq-config.ts).
    if (existsSync('/proc/sys/net/ipv6')) {
      await setSysctl(`net/ipv6/conf/${name}/disable_ipv6`, '0');
      await setSysctl(`net/ipv6/conf/${name}/accept_ra`, '0');
      await ip('address', 'replace', `${ROUTER_ADDRESS}/64`, 'dev', name, 'nodad');
    }
    await ip('link', 'set', name, 'up');
    return new Bridge(name);
  }

  /** Its hardware address, which stays as long as the bridge. */
  async mac(): Promise<string> {
    const address = (await links()).find((link) => link.ifname === this.name)?.address;
    if (address === undefined) throw new TypeError(`the bridge ${this.name} is gone`);
    return address;
  }

  /** Why virtual nodes can send frames in the name of others, for who looks after this machine; undefined when they cannot. */
  get unguarded(): string | undefined {
    return this.#unguarded;
  }

  /**
   * A tap on the bridge, up, through which comes only what its node may send; idempotent. It lasts until `removeTap`, whatever
   * becomes of its QEMU. `shape`: how fast and how late its node is sent what is for it.
   */
  async ensureTap(name: string, station: Station, shape: LinkShape = {}): Promise<void> {
    requireLinkName(name);
    const found = (await links()).find((link) => link.ifname === name);
    if (!found) await ip('tuntap', 'add', 'dev', name, 'mode', 'tap');
    else if (found.linkinfo?.info_kind !== 'tun') {
      throw new UserError('CONFLICT', `The link ${name} exists and is no tap.`, 'Remove it, then try again.');
    }
    await this.#guard(name, station);
    await setShape(name, shape, found?.qdisc);
    await ip('link', 'set', name, 'master', this.name, 'up');
  }

  /** A machine that cannot guard them still has virtual nodes: the journal says so once, `server-status` as long as it is so. */
  async #guard(tap: string, station: Station): Promise<void> {
    try {
      await guardTap(tap, station);
      this.#unguarded = undefined;
    } catch (error) {
      if (!isExternalError(error)) throw error;
      if (this.#unguarded === undefined)
        log.error('virtual nodes are not kept apart', { reason: error.message });
      this.#unguarded = error.message;
    }
  }

  /** Idempotent. */
  async removeTap(name: string): Promise<void> {
    requireLinkName(name);
    if ((await this.taps()).includes(name)) await ip('link', 'delete', name);
    // Some kernels keep it for the next link of that name.
    await unguardTap(name);
  }

  /** Names of the bridge's taps, sorted. */
  async taps(): Promise<string[]> {
    return (await links())
      .filter((link) => link.master === this.name && link.linkinfo?.info_kind === 'tun')
      .map((link) => link.ifname)
      .sort();
  }
}

/** Names of links are 15 bytes long at most (IFNAMSIZ). */
function requireLinkName(name: string): void {
  if (!/^[a-z][a-z0-9.-]{0,14}$/.test(name))
    throw new TypeError(`ill-formed link name ${JSON.stringify(name)}`);
}

/** A locally administered unicast address. */
function randomMac(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(5));
  return ['02', ...[...bytes].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}
