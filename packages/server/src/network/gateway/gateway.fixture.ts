/** For tests: a machine with a platform on it, and the world around. Namespaces play all of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { until } from '../../../../../test/until.ts';
import { attempt, namespaceFile, run } from '../../platform/index.ts';
import { ipIn } from '../ip.ts';

export const OUTSIDE = { v4: '203.0.113.1', v6: '2001:db8::1' };
export const HOST = { v4: '203.0.113.2', v6: '2001:db8::2' };
/** Of the host's bridge `docker0`, and of what is behind it. */
export const INNER = { host: '172.17.0.1', container: '172.17.0.2' };
/** A name that only a resolver of the outside knows. */
export const NAME = 'box.outside.example';

export class World implements AsyncDisposable {
  readonly own = process.env.WALT_TEST_NAMESPACE ?? '';
  readonly host = `${this.own}-91`;
  readonly outside = `${this.own}-92`;
  readonly container = `${this.own}-93`;
  readonly #programs: ChildProcess[] = [];

  async open(): Promise<void> {
    for (const name of [this.host, this.outside, this.container]) {
      await run(['ip', 'netns', 'add', name]);
      await ipIn(name, 'link', 'set', 'lo', 'up');
    }
    await this.#cable(this.host, 'up0', this.outside, 'eth0');
    await this.#address(this.host, 'up0', `${HOST.v4}/24`, `${HOST.v6}/64`);
    await this.#address(this.outside, 'eth0', `${OUTSIDE.v4}/24`, `${OUTSIDE.v6}/64`);
    await ipIn(this.host, 'route', 'add', 'default', 'via', OUTSIDE.v4);
    // What it does not know, it says so at once.
    await ipIn(this.outside, 'route', 'add', 'unreachable', 'default');
    await ipIn(this.host, 'link', 'add', 'docker0', 'type', 'bridge', 'forward_delay', '0');
    await ipIn(this.host, 'link', 'set', 'docker0', 'up');
    await this.#cable(this.host, 'veth0', this.container, 'eth0');
    await ipIn(this.host, 'link', 'set', 'veth0', 'master', 'docker0');
    await this.#address(this.host, 'docker0', `${INNER.host}/16`);
    await this.#address(this.container, 'eth0', `${INNER.container}/16`);
    await this.serve(this.outside, 'outside');
    await this.serve(this.host, 'host');
    this.start(this.outside, 'socat', 'TCP4-LISTEN:7,fork,reuseaddr', 'EXEC:cat');
    await this.serve(this.container, 'container');
    await this.#resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) {
      if (program.exitCode !== null || program.signalCode !== null) continue;
      program.kill('SIGKILL');
      await once(program, 'exit');
    }
    for (const name of [this.host, this.outside, this.container]) await run(['ip', 'netns', 'delete', name]);
  }

  /** Until the end of the test, or of this process. */
  start(namespace: string, ...argv: string[]): void {
    const inside = [
      '--pdeathsig',
      'KILL',
      '--',
      'nsenter',
      `--net=${namespaceFile(namespace)}`,
      '--',
      ...argv,
    ];
    this.#programs.push(spawn('setpriv', inside, { stdio: ['ignore', 'ignore', 'inherit'] }));
  }

  /** Says its name to whoever connects to port 7000, at any of its addresses. */
  async serve(namespace: string, name: string): Promise<void> {
    const listener = 'TCP6-LISTEN:7000,ipv6only=0,fork,reuseaddr';
    this.start(namespace, 'socat', '-U', listener, `SYSTEM:echo ${name}`);
    await until(`${name} to listen`, async () => (await this.say(namespace, '127.0.0.1')) === name);
  }

  /** Who answers at port 7000 of an address; empty: nobody. */
  async say(namespace: string, address: string, port = 7000): Promise<string> {
    const target = `${address.includes(':') ? `TCP6:[${address}]` : `TCP4:${address}`}:${port},connect-timeout=2`;
    const argv = ['nsenter', `--net=${namespaceFile(namespace)}`, '--', 'socat', '-u', target, '-'];
    return (await attempt(argv, { timeout: 60_000 })).stdout.trim();
  }

  /** A conversation with the echo of an address. */
  talk(namespace: string, address: string) {
    const child = spawn('nsenter', [
      `--net=${namespaceFile(namespace)}`,
      '--',
      'socat',
      '-',
      `TCP4:${address}:7`,
    ]);
    this.#programs.push(child);
    const lines = createInterface(child.stdout);
    const heard: string[] = [];
    lines.on('line', (line) => heard.push(line));
    return {
      heard,
      tell: (text: string) => void child.stdin.write(`${text}\n`),
      async ask(text: string): Promise<string> {
        const answer = once(lines, 'line');
        child.stdin.write(`${text}\n`);
        return (await answer)[0];
      },
    };
  }

  async #cable(from: string, port: string, to: string, peer: string): Promise<void> {
    await ipIn(from, 'link', 'add', port, 'up', 'type', 'veth', 'peer', 'name', peer, 'netns', to);
    await ipIn(to, 'link', 'set', peer, 'up');
  }

  async #address(namespace: string, port: string, ...addresses: string[]): Promise<void> {
    for (const address of addresses) {
      const more = address.includes(':') ? ['nodad'] : [];
      await ipIn(namespace, 'address', 'add', address, 'dev', port, ...more);
    }
  }

  /** Where slirp4netns asks: it reads this machine's resolv.conf (resolv.conf(5)). */
  async #resolve(): Promise<void> {
    const server = /^nameserver\s+(\d+\.\d+\.\d+\.\d+)/m.exec(
      await readFile('/etc/resolv.conf', 'utf8'),
    )?.[1];
    if (server === undefined) throw new Error('/etc/resolv.conf names no nameserver');
    const at = server.startsWith('127.') ? this.host : this.outside;
    await ipIn(at, 'address', 'replace', `${server}/32`, 'dev', 'lo');
    const options = [
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--no-resolv',
      '--no-hosts',
      '--pid-file=',
    ];
    const names = [`--host-record=${NAME},${OUTSIDE.v4},${OUTSIDE.v6}`, `--listen-address=${server}`];
    this.start(at, 'dnsmasq', ...options, '--bind-interfaces', '--user=root', ...names);
  }
}
