/** For tests: a lab. Namespaces play the server's host, with adapters, and what is at the other ends of their cables. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../../../test/until.ts';
import { attempt, namespaceFile, run, UserError, type WantedAdapter } from '../platform/index.ts';
import { isNamed, releaseAdapters } from './adapters/index.ts';
import { Bridge } from './bridge.ts';
import { ipIn, type Link, links } from './ip.ts';
import { Segments } from './segments.ts';
import { parseSubnet } from './subnet.ts';

const subnet = parseSubnet('10.99.0.0/24');
/** Of the machine behind the switch. */
export const NEIGHBOUR = '10.99.0.77';

export const wanted = (name: string, more: Partial<WantedAdapter> = {}): WantedAdapter => ({
  ...{ name, link: name, acceptInUse: false },
  ...more,
});

/** To be used in walt-net's namespace, which the test is run in. */
export class Lab {
  readonly own = process.env.WALT_TEST_NAMESPACE ?? '';
  readonly host = `${this.own}-1`;
  /** Has the bridge `switch0`, and on it a machine with the address NEIGHBOUR. */
  readonly lab = `${this.own}-2`;
  readonly file: string;
  readonly #state: string;
  #bridge: Bridge | undefined;
  #segments: Segments | undefined;

  constructor(state: string) {
    this.#state = state;
    this.file = join(state, 'adapters.json');
  }

  async open(): Promise<void> {
    this.#bridge = await Bridge.open('walt0', subnet);
    for (const name of [this.host, this.lab]) {
      await run(['ip', 'netns', 'add', name]);
      await ipIn(name, 'link', 'set', 'lo', 'up');
    }
    await this.inLab('link', 'add', 'switch0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
    await this.inLab('link', 'set', 'switch0', 'up');
    await this.inLab('address', 'add', `${NEIGHBOUR}/24`, 'dev', 'switch0');
  }

  async close(): Promise<void> {
    for (const name of [this.host, this.lab]) await run(['ip', 'netns', 'delete', name]);
  }

  readonly onHost = (...words: string[]) => ipIn(this.host, ...words);
  readonly inLab = (...words: string[]) => ipIn(this.lab, ...words);

  /** An adapter of the host; the other end of its cable, `port-NAME`, is in the switch, or alone. Both are up. */
  async plug(name: string, { alone = false } = {}): Promise<void> {
    const port = `port-${name}`;
    // In one step: a server that waits for it takes it at once.
    await this.onHost('link', 'add', name, 'up', 'type', 'veth', 'peer', 'name', port, 'netns', this.lab);
    await this.inLab('link', 'set', port, ...(alone ? [] : ['master', 'switch0']), 'up');
  }

  /** What a server does with its adapters while it starts. */
  async serve(interfaces: WantedAdapter[], acceptDhcpServers: string[] = []): Promise<Segments> {
    assert.ok(this.#bridge, 'it is open');
    this.#segments = await Segments.open({
      network: { namespace: this.own, subnet: subnet.cidr, interfaces, acceptDhcpServers },
      ...{ host: this.host, paths: { adapters: this.file }, bridge: this.#bridge, server: subnet.server },
    });
    return this.#segments;
  }

  /** The error that keeps it from that. */
  async refusal(...interfaces: WantedAdapter[]): Promise<UserError> {
    const error = await this.serve(interfaces).catch((error) => error);
    assert.ok(error instanceof UserError, `${error}`);
    return error;
  }

  /** The server ends, however it does; adapters stay. */
  async end(): Promise<void> {
    await this.#segments?.close();
    this.#segments = undefined;
  }

  /** The platform stops. */
  async stop(): Promise<void> {
    await this.end();
    assert.deepEqual(await releaseAdapters(this.own, this.file, this.host), []);
    assert.equal(existsSync(this.file), false);
  }

  /** All cables are pulled, too. */
  async clear(): Promise<void> {
    await this.stop();
    for (const { ifname } of await links(this.lab))
      if (ifname.startsWith('port')) await this.inLab('link', 'delete', 'dev', ifname);
  }

  stateOf(name: string): string | undefined {
    return this.#segments?.adapters.find((one) => one.name === name)?.state;
  }

  async settled(name: string, state: string): Promise<void> {
    await until(`${name} to be ${state}`, async () => this.stateOf(name) === state);
  }

  /** Of walt-net. */
  async port(name: string): Promise<Link | undefined> {
    return (await links()).find((link) => isNamed(link, name));
  }

  /** All that the host sees of an adapter, but for the kernel's number of it, and what follows its cable some time later. */
  async seen(name: string) {
    const link = await this.onHost('-details', 'link', 'show', 'dev', name);
    const lasting = link.replace(/^\d+: /, '').replace(/,?(?:NO-CARRIER|LOWER_UP|M-DOWN)\b/g, '');
    return {
      link: lasting.replace(/ (?:state|qdisc) \S+/g, ''),
      addresses: await this.onHost('-4', 'address', 'show', 'dev', name).then((text) =>
        text.match(/inet .*/g),
      ),
      routes: await this.onHost('route', 'show', 'dev', name).then((text) =>
        text.replaceAll(' linkdown', ''),
      ),
    };
  }

  /** Whether the server is reached through the switch. */
  async isReached(): Promise<boolean> {
    const ping = ['ip', 'netns', 'exec', this.lab, 'ping', '-c', '1', '-w', '30', subnet.server];
    return (await attempt(ping)).status === 0;
  }

  /** Another DHCP server on the switch; without `more`, it pings an address for three seconds before it offers it. */
  async startDhcp(...more: string[]): Promise<AsyncDisposable> {
    const options = ['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--log-facility=-'];
    const range = ['--interface=switch0', '--bind-interfaces', '--dhcp-range=10.99.0.200,10.99.0.220,1h'];
    const files = ['--pid-file=', `--dhcp-leasefile=${join(this.#state, 'foreign-leases')}`];
    const inside = [
      '--pdeathsig',
      'KILL',
      '--',
      'nsenter',
      `--net=${namespaceFile(this.lab)}`,
      '--',
      'dnsmasq',
    ];
    const child = spawn('setpriv', [...inside, ...options, ...range, ...files, ...more], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // Its first words come when it listens.
    await once(child.stderr, 'data');
    child.stderr.resume();
    return {
      async [Symbol.asyncDispose]() {
        child.kill();
        await once(child, 'exit');
      },
    };
  }
}
