import { Resolver } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createLog, namespaceFile, type Paths, type Programs } from '../../platform/index.ts';
import { LinkWatch } from '../adapters/index.ts';
import { DOMAIN } from '../dhcp/index.ts';
import { ip, links } from '../ip.ts';
import { nft } from '../nft.ts';
import type { Subnet } from '../subnet.ts';
import { setSysctl } from '../sysctl.ts';
import { writeVersionedConfig } from '../versioned-config.ts';
import { lookAtPrivate } from './private-addresses.ts';
import { renderResolver } from './resolver.ts';
import { closingRules, passageRules } from './rules.ts';

const log = createLog('network');

/** The link to slirp4netns, and the addresses that it has there (slirp4netns(1)): of a network that nobody has (RFC 6890). */
const LINK = 'outside';
const NETWORK = '192.0.0.0/24';
const [ROUTER, RESOLVER, OWN] = ['192.0.0.2', '192.0.0.3', '192.0.0.100/24'];
/** Port of the server on walt-net, to which questions of nodes are turned that may go out. */
const DNS_PORT = 1053;
/** Its rule comes behind that for the main table (ip-rule(8)), so that nothing of the server's own takes that way. */
const ROUTES = { table: '100', priority: '33000' };
const PROGRAM = 'gateway';
const NAMES = 'gateway-names';
/** Milliseconds in which changes of the host are taken together. */
const CALM = 50;

interface GatewayOptions {
  subnet: Subnet;
  bridge: string;
  /** Names of the platform's namespace, in which we are, and of the host's. */
  namespace: string;
  host: string;
  paths: Pick<Paths, 'services'>;
  programs: Programs;
}

/**
 * The way out of walt-net, for the nodes that may take it: through the namespace, and then by sockets that slirp4netns opens in the
 * host's one. It is there only while a node may.
 */
export class Gateway {
  readonly #options: GatewayOptions;
  #nodes: readonly string[] = [];
  /** What was written last; undefined: nothing by this server. */
  #rules: string | undefined;
  #watch: LinkWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** Leaves what an earlier server has opened as it is, until `setNodes`. */
  static async open(options: GatewayOptions): Promise<Gateway> {
    // A new namespace has what the host has.
    if (!(await exists())) await forward(false);
    return new Gateway(options);
  }

  /** Addresses of all nodes that may go out; resolves when it is so. Throws ExternalError when it cannot be; then nothing passes. */
  setNodes(nodes: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      this.#nodes = [...nodes].sort();
      if (nodes.length === 0) await this.#shut();
      else await this.#open();
    });
  }

  /** Looks whether the host has other addresses now. Rejects never. */
  async mend(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#rules !== undefined) await this.#write();
    }).catch((error) => log.error('the way out cannot be guarded', { error: String(error) }));
  }

  /** Programs and rules stay. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#watch?.close();
    await this.#turn;
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {}); // the caller gets the error
    return result;
  }

  async #open(): Promise<void> {
    const { host, programs } = this.#options;
    // Before what is looked at: no change is missed.
    this.#watch ??= new LinkWatch([host], () => this.#hostChanged());
    try {
      await this.#write();
      await openLink(this.#options.bridge);
      await forward(true);
    } catch (error) {
      await forward(false);
      throw error;
    }
    await programs.ensure({
      name: PROGRAM,
      argv: this.#slirp(),
      ready: async () =>
        (await links()).some(({ ifname, flags }) => ifname === LINK && flags.includes('LOWER_UP')),
    });
    await this.#resolve();
  }

  async #shut(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#watch?.close();
    this.#watch = undefined;
    this.#rules = undefined;
    await forward(false);
    await this.#options.programs.stop(NAMES);
    await this.#options.programs.stop(PROGRAM);
    if (!(await exists())) return;
    await ip('link', 'delete', LINK);
    await ip('rule', 'delete', 'priority', ROUTES.priority);
    await nft(closingRules());
  }

  async #write(): Promise<void> {
    const { bridge, host, subnet } = this.#options;
    const never = [...(await lookAtPrivate(host)), subnet.cidr];
    const passage = {
      bridge,
      server: subnet.server,
      outside: LINK,
      nodes: this.#nodes,
      never,
      dnsPort: DNS_PORT,
    };
    const rules = passageRules(passage);
    if (rules === this.#rules) return;
    await nft(rules);
    this.#rules = rules;
  }

  #hostChanged(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.mend();
    }, CALM).unref();
  }

  /**
   * On the host's side, with podman's options for an image shell. In a mount namespace of its own: the sandbox unmounts what it leaves
   * behind, and where mounts are shared, as those of `ip netns` are, everybody would lose them. What others unmount, it lets go, too.
   */
  #slirp(): string[] {
    const { namespace, host } = this.#options;
    const sandbox = ['--disable-host-loopback', '--enable-sandbox', '--enable-seccomp'];
    return [
      ...[
        'nsenter',
        `--net=${namespaceFile(host)}`,
        '--',
        'unshare',
        '--mount',
        '--propagation',
        'slave',
        '--',
      ],
      ...[
        'slirp4netns',
        '--netns-type=path',
        `--cidr=${NETWORK}`,
        ...sandbox,
        namespaceFile(namespace),
        LINK,
      ],
    ];
  }

  async #resolve(): Promise<void> {
    const { paths, programs, subnet } = this.#options;
    const { server, cidr } = subnet;
    const folder = join(paths.services, 'gateway');
    await mkdir(folder, { recursive: true });
    const text = renderResolver({ server, subnet: cidr, port: DNS_PORT, upstream: RESOLVER });
    await programs.ensure({
      name: NAMES,
      argv: ['dnsmasq', `--conf-file=${await writeVersionedConfig(folder, 'names', text)}`],
      ready: () => answers(server),
    });
  }
}

async function exists(): Promise<boolean> {
  return (await links()).some(({ ifname }) => ifname === LINK);
}

/** The link lasts, with its address and its routes, whatever becomes of slirp4netns. Idempotent. */
async function openLink(bridge: string): Promise<void> {
  if (!(await exists())) await ip('tuntap', 'add', 'dev', LINK, 'mode', 'tap');
  if (existsSync('/proc/sys/net/ipv6')) await setSysctl(`net/ipv6/conf/${LINK}/disable_ipv6`, '1');
  await ip('address', 'replace', OWN, 'dev', LINK);
  await ip('link', 'set', LINK, 'up');
  await ip('route', 'replace', 'default', 'via', ROUTER, 'dev', LINK, 'table', ROUTES.table);
  const rule = ['iif', bridge, 'priority', ROUTES.priority, 'lookup', ROUTES.table];
  if (!(await ip('rule', 'show', 'priority', ROUTES.priority)).trim()) await ip('rule', 'add', ...rule);
}

/** Of this namespace alone. */
async function forward(open: boolean): Promise<void> {
  await setSysctl('net/ipv4/ip_forward', open ? '1' : '0');
}

/** True when it knows the server's own name, which it asks the DNS of walt-net for. */
async function answers(server: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: 250, tries: 1 });
  resolver.setServers([`${server}:${DNS_PORT}`]);
  try {
    return (await resolver.resolve4(`server.${DOMAIN}`)).length > 0;
  } catch {
    return false; // no answer: not yet
  }
}
