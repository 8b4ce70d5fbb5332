import { randomBytes } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createLog,
  type Paths,
  type Programs,
  readIfPresent,
  UserError,
  writeFileAtomic,
} from '../../platform/index.ts';
import type { Subnet } from '../subnet.ts';
import { writeVersionedConfig } from '../versioned-config.ts';
import { sendRelease, staleLeases } from './dhcp-release.ts';
import {
  DOMAIN,
  type HostEntry,
  type Lease,
  parseLeases,
  renderConfig,
  renderDhcpHosts,
  renderDnsHosts,
} from './dnsmasq-config.ts';

const log = createLog('network');

const PROGRAM = 'dnsmasq';
/** Milliseconds until a change must have been read: more than a restart takes. */
const READ_LIMIT = 10_000;
/** Milliseconds after which it is told once more: the first time it may just have been starting. */
const SIGNAL_INTERVAL = 500;
const QUESTION_INTERVAL = 10;
/** Milliseconds in which dnsmasq should have noted that a lease was given back, and how often it is told at most. */
const RELEASE_LIMIT = 200;
const RELEASE_ATTEMPTS = 5;

/** DHCP and DNS on the bridge. */
export class Dnsmasq {
  readonly #programs: Programs;
  readonly #subnet: Subnet;
  readonly #files: ReturnType<typeof serviceFiles>;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(programs: Programs, subnet: Subnet, files: ReturnType<typeof serviceFiles>) {
    this.#programs = programs;
    this.#subnet = subnet;
    this.#files = files;
  }

  /** Adopts or starts it. Hosts and leases are those of last time until `setHosts`. */
  static async open(options: {
    subnet: Subnet;
    bridge: string;
    paths: Pick<Paths, 'services'>;
    programs: Programs;
    /** Whether no other DHCP server may answer there. */
    alone: boolean;
  }): Promise<Dnsmasq> {
    const { subnet, bridge, paths, programs, alone } = options;
    const files = serviceFiles(paths);
    await mkdir(files.folder, { recursive: true });
    for (const file of [files.dhcpHosts, files.dnsHosts]) {
      if ((await readIfPresent(file)) === undefined) await writeFileAtomic(file, '');
    }
    const text = renderConfig({ subnet, bridge, files, alone });
    const dnsmasq = new Dnsmasq(programs, subnet, files);
    await programs.ensure({
      name: PROGRAM,
      argv: ['dnsmasq', `--conf-file=${await writeVersionedConfig(files.folder, 'dnsmasq', text)}`],
      ready: () => dnsmasq.#answers(`server.${DOMAIN}`),
    });
    return dnsmasq;
  }

  /** Replaces all permanent addresses and names; resolves when they hold, and those left out do not. */
  setHosts(hosts: readonly HostEntry[]): Promise<void> {
    const result = this.#turn.then(() => this.#writeHosts(hosts));
    this.#turn = result.catch(() => {}); // the caller gets the error
    return result;
  }

  /** Ends the leases of that hardware address. */
  async forget(mac: string): Promise<void> {
    const leases = await this.leases();
    await Promise.all(leases.filter((lease) => lease.mac === mac).map((lease) => this.#release(lease)));
  }

  async leases(): Promise<Lease[]> {
    return parseLeases((await readIfPresent(this.#files.leases)) ?? '');
  }

  async #writeHosts(hosts: readonly HostEntry[]): Promise<void> {
    const marker = `read-${randomBytes(8).toString('hex')}.${DOMAIN}`;
    const [dhcpHosts, dnsHosts] = [renderDhcpHosts(hosts), renderDnsHosts(hosts, marker)];
    await writeFileAtomic(this.#files.dhcpHosts, dhcpHosts);
    await writeFileAtomic(this.#files.dnsHosts, dnsHosts);
    await this.#untilRead(marker);
    for (const lease of staleLeases(this.#subnet, await this.leases(), hosts)) await this.#release(lease);
  }

  /** Ends a lease. One that dnsmasq will not let go of runs out by itself: no reason to fail. */
  async #release(lease: Lease): Promise<void> {
    const gone = async () =>
      !(await this.leases()).some(({ mac, ip }) => mac === lease.mac && ip === lease.ip);
    for (let attempt = 0; attempt < RELEASE_ATTEMPTS; attempt++) {
      await sendRelease(this.#subnet, lease);
      const deadline = Date.now() + RELEASE_LIMIT;
      while (Date.now() < deadline) {
        if (await gone()) return;
        await delay(QUESTION_INTERVAL);
      }
    }
    log.warn('a lease outlives its node', { mac: lease.mac, ip: lease.ip });
  }

  /** dnsmasq reads both files in one go, then answers: once it knows the marker, it knows all. */
  async #untilRead(marker: string): Promise<void> {
    const deadline = Date.now() + READ_LIMIT;
    let signalled = 0;
    while (Date.now() < deadline) {
      if (Date.now() - signalled >= SIGNAL_INTERVAL) {
        this.#programs.signal(PROGRAM, 'SIGHUP');
        signalled = Date.now();
      }
      if (await this.#answers(marker)) return;
      await delay(QUESTION_INTERVAL);
    }
    throw new UserError(
      'UNAVAILABLE',
      `dnsmasq did not take over the new addresses within ${READ_LIMIT / 1000} s.`,
      'Look into its log, logs/dnsmasq.log in the state folder.',
    );
  }

  /** True when it knows an address for that name. */
  async #answers(name: string): Promise<boolean> {
    const resolver = new Resolver({ timeout: 250, tries: 1 });
    resolver.setServers([this.#subnet.server]);
    try {
      return (await resolver.resolve4(name)).length > 0;
    } catch {
      return false; // refused, unknown or no answer: not yet
    }
  }
}

function serviceFiles(paths: Pick<Paths, 'services'>) {
  const folder = join(paths.services, 'dnsmasq');
  return {
    folder,
    dhcpHosts: join(folder, 'dhcp-hosts'),
    dnsHosts: join(folder, 'dns-hosts'),
    leases: join(folder, 'leases'),
  };
}
