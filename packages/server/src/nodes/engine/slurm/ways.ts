import { isIPv4 } from 'node:net';
import { type Log, rarely } from '../../../platform/index.ts';
import { tunnelNumber } from './job-script.ts';
import type { HostSeen } from './output.ts';

/** The other end of a host's way to walt-net. */
export interface Tunnel {
  host: string;
  /** IPv4 address. */
  address: string;
  number: number;
}

interface Deps {
  platform: string;
  /** Those that should be there, and no others. */
  setTunnels(tunnels: readonly Tunnel[]): Promise<void>;
  /** IPv4 address of a machine, by its name. */
  resolve(name: string): Promise<string>;
  log: Pick<Log, 'warn'>;
}

/** Ways of hosts to walt-net. */
export class Ways {
  readonly #deps: Deps;
  readonly #warn: ReturnType<typeof rarely>;
  /** The last one of each name that was found. */
  #known = new Map<string, string>();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#warn = rarely(deps.log.warn);
  }

  /**
   * Sees to it that each host has its way. While nobody can tell the address of one, it is at its last one: nodes run there. One whose
   * address was never known has no way; both are told.
   */
  async open(hosts: readonly Pick<HostSeen, 'name' | 'address'>[]): Promise<void> {
    const { platform, setTunnels } = this.#deps;
    const addresses = await Promise.all(hosts.map((host) => this.#addressOf(host)));
    const found = hosts.flatMap(({ name, address: at }, index) => {
      const address = addresses[index];
      return address === undefined ? [] : [{ name, at, address }];
    });
    this.#known = new Map(found.map(({ at, address }) => [at, address]));
    await setTunnels(
      found.map(({ name, address }) => ({ host: name, address, number: tunnelNumber(platform, name) })),
    );
  }

  async #addressOf({ name, address }: Pick<HostSeen, 'name' | 'address'>): Promise<string | undefined> {
    if (isIPv4(address)) return address;
    try {
      return await this.#deps.resolve(address);
    } catch (error) {
      const last = this.#known.get(address);
      const facts = { host: name, name: address, ...(last !== undefined && { last }), error: String(error) };
      this.#warn('the address of a host is not known', facts, name);
      return last;
    }
  }
}
