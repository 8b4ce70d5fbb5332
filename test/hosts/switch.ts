/** Machines of a test: namespaces on a switch, to which the server's machine, one too, is plugged as well. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, type ExecResult, namespaceFile, run } from '../../packages/server/src/platform/index.ts';

export const SERVER = '198.18.0.1';
/** A machine has these of its own, beside its network. */
export const NAMESPACES = ['--mount', '--uts', '--ipc', '--pid'];

/** Names of machines are `h1` and so on. */
export abstract class Switch implements AsyncDisposable {
  /** Namespace of the server's machine. */
  readonly host = `wc${process.pid}`;
  readonly #folder: string;
  readonly #count: number;
  readonly #children = new Map<string, ChildProcess>();
  /** Also when the test is interrupted. */
  readonly #clean = () => this.#end();

  protected constructor(folder: string, count: number) {
    process.once('exit', this.#clean);
    this.#folder = folder;
    this.#count = count;
  }

  protected static makeFolder(): Promise<string> {
    return mkdtemp(join(tmpdir(), 'walt-cluster-'));
  }

  get hosts(): string[] {
    return Array.from({ length: this.#count }, (_, index) => `h${index + 1}`);
  }

  address(host: string): string {
    return `198.18.0.${this.hosts.indexOf(host) + 11}`;
  }

  /** In the folder of the test. */
  protected file(...names: string[]): string {
    return join(this.#folder, ...names);
  }

  #namespace(host: string): string {
    return `${this.host}${host}`;
  }

  protected async wire(): Promise<void> {
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

  /** A command line that runs on the server's machine. */
  onServer(argv: readonly string[]): string[] {
    return ['nsenter', `--net=${namespaceFile(this.host)}`, '--', ...argv];
  }

  /** Whatever ends this test ends it. */
  protected spawn(name: string, argv: readonly string[]): void {
    if (this.#children.has(name)) throw new Error(`${name} runs already`);
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], { stdio: 'ignore' });
    this.#children.set(name, child);
  }

  /** Switches a machine on; `argv` is its first process. */
  protected spawnHost(host: string, argv: readonly string[]): void {
    this.spawn(host, [
      ...['nsenter', `--net=${namespaceFile(this.#namespace(host))}`, '--'],
      ...['unshare', ...NAMESPACES, '--propagation', 'private', '--mount-proc', '--fork', '--kill-child'],
      ...argv,
    ]);
  }

  /** Runs a program on a machine, whatever its exit status. */
  async attemptOn(host: string, ...argv: string[]): Promise<ExecResult> {
    const unshare = this.#children.get(host)?.pid;
    const first = (await readFile(`/proc/${unshare}/task/${unshare}/children`, 'utf8')).trim();
    return await attempt([
      ...['nsenter', `--target=${first}`, '--net', ...NAMESPACES, '--root', '--wd=/', '--'],
      ...argv,
    ]);
  }

  async setLink(host: string, state: 'up' | 'down'): Promise<void> {
    await run(['ip', '-n', this.host, 'link', 'set', host, state]);
  }

  /** As if the plug of a machine was pulled; or ends what else was spawned. */
  async kill(name: string): Promise<void> {
    const child = this.#children.get(name);
    if (this.hosts.includes(name)) await this.#endDevices(name);
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    this.#children.delete(name);
  }

  /** They would end with its kernel. A namespace keeps them for a minute while one end of a TCP connection waits for the other. */
  async #endDevices(host: string): Promise<void> {
    const each =
      'cd /run/netns && for net in *; do ip -n "$net" link delete dev uplink 2>/dev/null; done; true';
    await this.attemptOn(host, 'sh', '-c', each).catch(() => undefined); // it may be dead
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
    // Where it is a file system of its own.
    spawnSync('umount', ['--lazy', '--', this.#folder], { stdio: 'ignore' });
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
