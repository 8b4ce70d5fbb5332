/** Machines that are to be hosts: namespaces on a switch, to which the server's machine, one too, is plugged as well. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { appendFile, chmod, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  attempt,
  type ExecResult,
  namespaceFile,
  run,
  type SlurmConfig,
} from '../../packages/server/src/platform/index.ts';
import { until } from '../until.ts';

export const SERVER = '198.18.0.1';
const NAMESPACES = ['--mount', '--uts', '--ipc', '--pid'];

/** Names of machines are `h1` and so on. Each has an sshd, and forgets nothing when it is switched off. */
export class Cluster implements AsyncDisposable {
  /** Namespace of the server's machine. */
  readonly host: string;
  /** Folder of an ssh that knows these machines, and has a key for root there. */
  readonly bin: string;
  readonly #folder: string;
  readonly #count: number;
  readonly #children = new Map<string, ChildProcess>();
  /** Also when the test is interrupted. */
  readonly #clean = () => this.#end();

  private constructor(host: string, folder: string, count: number) {
    process.once('exit', this.#clean);
    this.host = host;
    this.bin = join(folder, 'bin');
    this.#folder = folder;
    this.#count = count;
  }

  static async start(count: number): Promise<Cluster> {
    const cluster = new Cluster(`wc${process.pid}`, await mkdtemp(join(tmpdir(), 'walt-cluster-')), count);
    try {
      await run(['mount', '-t', 'tmpfs', '-o', 'mode=755', 'walt-cluster', cluster.#folder]);
      await cluster.#wire();
      await cluster.#makeSsh();
      for (const name of cluster.hosts) cluster.boot(name);
      for (const name of cluster.hosts) await until(`sshd on ${name}`, () => cluster.#answers(name));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get hosts(): string[] {
    return Array.from({ length: this.#count }, (_, index) => `h${index + 1}`);
  }

  address(host: string): string {
    return `198.18.0.${this.hosts.indexOf(host) + 11}`;
  }

  url(host: string): string {
    return `ssh://root@${this.address(host)}`;
  }

  #file(...names: string[]): string {
    return join(this.#folder, ...names);
  }

  #namespace(host: string): string {
    return `${this.host}${host}`;
  }

  async #wire(): Promise<void> {
    const inside = (...words: string[]) => run(['ip', '-n', this.host, ...words]);
    for (const name of [this.host, ...this.hosts.map((host) => this.#namespace(host))]) {
      await run(['ip', 'netns', 'add', name]);
      await run(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
    }
    await inside('link', 'add', 'switch0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
    await inside('address', 'add', `${SERVER}/24`, 'dev', 'switch0');
    await inside('link', 'set', 'switch0', 'up');
    for (const host of this.hosts) {
      const there = this.#namespace(host);
      await inside('link', 'add', host, 'type', 'veth', 'peer', 'eth0', 'netns', there);
      await inside('link', 'set', host, 'master', 'switch0', 'up');
      await run(['ip', '-n', there, 'address', 'add', `${this.address(host)}/24`, 'dev', 'eth0']);
      await run(['ip', '-n', there, 'link', 'set', 'eth0', 'up']);
    }
  }

  /** The user's own ssh, with a configuration of the test's. */
  async #makeSsh(): Promise<void> {
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', this.#file('key')]);
    for (const host of this.hosts) {
      await mkdir(this.#file(host));
      await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', this.#file(host, 'host_key')]);
    }
    for (const host of this.hosts)
      await this.knowHost(this.address(host), await readFile(this.#file(host, 'host_key.pub'), 'utf8'));
    const options = {
      UserKnownHostsFile: this.#file('known_hosts'),
      IdentityFile: this.#file('key'),
      IdentitiesOnly: 'yes',
    };
    const lines = Object.entries(options).map((option) => option.join(' '));
    await writeFile(this.#file('ssh_config'), `${lines.join('\n')}\n`);
    await mkdir(this.bin);
    await writeFile(
      join(this.bin, 'ssh'),
      `#!/bin/sh\nexec /usr/bin/ssh -F ${this.#file('ssh_config')} "$@"\n`,
    );
    await chmod(join(this.bin, 'ssh'), 0o755);
  }

  /** What lets its owner in as root. */
  async publicKey(): Promise<string> {
    return (await readFile(this.#file('key.pub'), 'utf8')).trim();
  }

  async knowHost(address: string, key: string): Promise<void> {
    await appendFile(this.#file('known_hosts'), `${address} ${key}`);
  }

  async #answers(host: string): Promise<boolean> {
    const ssh = [join(this.bin, 'ssh'), '-o', 'BatchMode=yes', '--', this.url(host), 'true'];
    return (await attempt(this.#onServer(ssh))).status === 0;
  }

  #onServer(argv: readonly string[]): string[] {
    return ['nsenter', `--net=${namespaceFile(this.host)}`, '--', ...argv];
  }

  /** A program on the server's machine. */
  async run(argv: readonly string[], env: Record<string, string> = {}): Promise<string> {
    return await run(this.#onServer(argv), { env });
  }

  /** Switches a machine on. */
  boot(host: string): void {
    assert.ok(!this.#children.has(host), `${host} is off`);
    const argv = [
      ...['nsenter', `--net=${namespaceFile(this.#namespace(host))}`, '--'],
      ...['unshare', ...NAMESPACES, '--propagation', 'private', '--fork', '--kill-child'],
      ...[join(import.meta.dirname, 'host.sh'), host, this.#file(host)],
    ];
    // Whatever ends this test ends it.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], { stdio: 'ignore' });
    this.#children.set(host, child);
  }

  /** Runs a program there, whatever its exit status. */
  async attempt(host: string, ...argv: string[]): Promise<ExecResult> {
    const unshare = this.#children.get(host)?.pid;
    const first = (await readFile(`/proc/${unshare}/task/${unshare}/children`, 'utf8')).trim();
    return await attempt([
      'nsenter',
      `--target=${first}`,
      '--net',
      ...NAMESPACES,
      '--root',
      '--wd=/',
      '--',
      ...argv,
    ]);
  }

  /** Runs a line of shell there, and answers what it prints. */
  async on(host: string, line: string): Promise<string> {
    const { status, stdout, stderr } = await this.attempt(host, 'sh', '-c', line);
    if (status !== 0) throw new Error(`${line} on ${host}: ${status}: ${stdout}${stderr}`);
    return stdout;
  }

  async setLink(host: string, state: 'up' | 'down'): Promise<void> {
    await run(['ip', '-n', this.host, 'link', 'set', host, state]);
  }

  /** As if its plug was pulled. */
  async kill(host: string): Promise<void> {
    const child = this.#children.get(host);
    // They would end with its kernel. A namespace keeps them for a minute while one end of a TCP connection waits for the other.
    const each =
      'cd /run/netns && for net in *; do ip -n "$net" link delete dev uplink 2>/dev/null; done; true';
    await this.on(host, each).catch(() => ''); // it may be dead
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    this.#children.delete(host);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#children.keys()) await this.kill(name);
    this.#end();
    process.off('exit', this.#clean);
  }

  #end(): void {
    for (const child of this.#children.values()) child.kill('SIGKILL');
    for (const name of [...this.hosts.map((host) => this.#namespace(host)), this.host])
      spawnSync('ip', ['netns', 'delete', name], { stdio: 'ignore' });
    spawnSync('umount', ['--lazy', '--', this.#folder], { stdio: 'ignore' });
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Keys of server.conf for a cluster of the platform's own. */
export const ownCluster: { cluster: 'own' } & Pick<SlurmConfig, 'address'> = {
  cluster: 'own',
  address: SERVER,
};
