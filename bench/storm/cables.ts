import { join } from 'node:path';
import { attempt, run } from '../../packages/server/src/platform/index.ts';
import type { Platform } from '../../test/platform.ts';

/** A network namespace with many adapters on walt-net: macvlans of one cable, each with its own hardware address. */
export class Cables implements AsyncDisposable {
  readonly machines: { mac: string; ip: string | null }[];
  readonly #namespace: string;
  readonly #platform: Platform;

  private constructor(platform: Platform, count: number) {
    this.#platform = platform;
    this.#namespace = `${platform.namespace}-s`;
    this.machines = Array.from({ length: count }, (_, at) => ({ mac: macOf(at), ip: null }));
  }

  static async plug(platform: Platform, count: number): Promise<Cables> {
    const cables = new Cables(platform, count);
    const own = cables.#namespace;
    await run(['ip', 'netns', 'add', own]);
    try {
      const peer = ['peer', 'name', 'eth0', 'netns', own];
      await run(['ip', '-n', platform.namespace, 'link', 'add', 'storm', 'type', 'veth', ...peer]);
      await run(['ip', '-n', platform.namespace, 'link', 'set', 'storm', 'master', 'walt0', 'up']);
      const sysctls = ['arp_ignore=1', 'arp_announce=2', 'rp_filter=0'].map(
        (one) => `net.ipv4.conf.all.${one}`,
      );
      // As many neighbours as there are machines, on either side.
      const room = ['gc_thresh1=4096', 'gc_thresh2=8192', 'gc_thresh3=8192'].map(
        (one) => `net.ipv4.neigh.default.${one}`,
      );
      for (const setting of [...sysctls, ...room])
        await attempt(['ip', 'netns', 'exec', own, 'sysctl', '-qw', setting]);
      await cables.#batch(['link set lo up', 'link set eth0 up', 'route add 255.255.255.255 dev eth0']);
      return cables;
    } catch (error) {
      await cables[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Gives machines the addresses that the server gave them, and their adapters. What they send goes over their own. Before, they
   * speak DHCP through the cable itself: each adapter would get a copy of each answer.
   */
  async address(found: readonly { mac: string; ip: string }[]): Promise<void> {
    const { subnet } = this.#platform.config.network;
    const [, prefix] = subnet.split('/');
    const lines = found.flatMap(({ mac, ip }) => {
      const at = this.machines.findIndex((one) => one.mac === mac);
      const machine = this.machines[at];
      if (!machine) return [];
      const { ip: before } = machine;
      machine.ip = ip;
      const table = 1000 + at;
      return [
        ...(before === null
          ? [`link add link eth0 name m${at} address ${mac} type macvlan mode private`, `link set m${at} up`]
          : [`address flush dev m${at}`, `rule delete from ${before} table ${table}`]),
        `address add ${ip}/${prefix} dev m${at} noprefixroute`,
        `route replace ${subnet} dev m${at} table ${table}`,
        `rule add from ${ip} table ${table}`,
      ];
    });
    await this.#batch(lines);
  }

  /** Runs a program of this folder among them. */
  async program(name: string, ...words: string[]): Promise<string> {
    const argv = [process.execPath, join(import.meta.dirname, name), ...words];
    return run(['ip', 'netns', 'exec', this.#namespace, ...argv], { timeout: 600_000 });
  }

  async #batch(lines: readonly string[]): Promise<void> {
    await run(['ip', '-n', this.#namespace, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await attempt(['ip', '-n', this.#platform.namespace, 'link', 'delete', 'storm']);
    await attempt(['ip', 'netns', 'delete', this.#namespace]);
  }
}

/** Locally administered. */
function macOf(at: number): string {
  const digits = at.toString(16).padStart(4, '0');
  return `02:57:00:00:${digits.slice(0, 2)}:${digits.slice(2)}`;
}
