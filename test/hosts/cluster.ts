/** A cluster of Slurm on this machine: hosts are namespaces on a switch, to which the server's machine, one too, is plugged as well. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, namespaceFile, run } from '../../packages/server/src/platform/index.ts';
import { until } from '../until.ts';

const SERVER = '198.18.0.1';

/** Names of hosts are `h1` and so on; each has the feature `on-h1`. */
export class Cluster implements AsyncDisposable {
  /** Namespace of the server's machine. */
  readonly host: string;
  readonly #folder: string;
  readonly #count: number;
  readonly #children = new Map<string, ChildProcess>();

  /** Also when the test is interrupted. */
  readonly #clean = () => this.#end();

  private constructor(host: string, folder: string, count: number) {
    process.once('exit', this.#clean);
    this.host = host;
    this.#folder = folder;
    this.#count = count;
  }

  static async start(count: number): Promise<Cluster> {
    const cluster = new Cluster(`wc${process.pid}`, await mkdtemp(join(tmpdir(), 'walt-cluster-')), count);
    try {
      await cluster.#wire();
      await cluster.#configure();
      await cluster.startController();
      for (const name of cluster.hosts) cluster.boot(name);
      await until('the hosts', async () => (await cluster.states()).every((state) => state === 'idle'));
      return cluster;
    } catch (error) {
      const log = await readFile(join(cluster.#folder, 'slurmctld.log'), 'utf8').catch(() => 'none');
      await cluster[Symbol.asyncDispose]();
      throw new Error(`the cluster did not start: ${log}`, { cause: error });
    }
  }

  get hosts(): string[] {
    return Array.from({ length: this.#count }, (_, index) => `h${index + 1}`);
  }

  /** Keys of server.conf. */
  get keys(): object {
    return { config: this.#file('slurm.conf'), address: SERVER };
  }

  #file(name: string): string {
    return join(this.#folder, name);
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
    for (const [index, host] of this.hosts.entries()) {
      const there = this.#namespace(host);
      await inside('link', 'add', host, 'type', 'veth', 'peer', 'eth0', 'netns', there);
      await inside('link', 'set', host, 'master', 'switch0', 'up');
      await run(['ip', '-n', there, 'address', 'add', `198.18.0.${index + 11}/24`, 'dev', 'eth0']);
      await run(['ip', '-n', there, 'link', 'set', 'eth0', 'up']);
    }
  }

  async #configure(): Promise<void> {
    const file = (name: string) => this.#file(name);
    await chmod(this.#folder, 0o755);
    const folders = ['munge', 'state', 'spool', ...this.hosts.map((host) => `${host}.cache`)];
    for (const name of folders) await mkdir(file(name), { mode: 0o755 });
    await writeFile(file('munge.key'), randomBytes(1024), { mode: 0o600 });
    await writeFile(file('cgroup.conf'), 'CgroupPlugin=cgroup/v1\n');
    const nodes = this.hosts.map(
      (host, index) =>
        `NodeName=${host} NodeAddr=198.18.0.${index + 11} CPUs=8 RealMemory=8000 Feature=on-${host}\n`,
    );
    await writeFile(
      file('slurm.conf'),
      `ClusterName=walt
SlurmctldHost=${hostname()}(${SERVER})
SlurmUser=root
AuthInfo=socket=${file('munge')}/socket,cred_expire=10
StateSaveLocation=${file('state')}
SlurmdSpoolDir=${file('spool')}/%n
SlurmctldPidFile=${file('slurmctld.pid')}
SlurmdPidFile=${file('slurmd')}.%n.pid
SlurmctldLogFile=${file('slurmctld.log')}
SlurmdLogFile=${file('slurmd')}.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory,CR_LLN
SlurmdTimeout=6
MessageTimeout=5
TCPTimeout=2
ReturnToService=2
SlurmdParameters=config_overrides
${nodes.join('')}PartitionName=walt Nodes=ALL Default=YES State=UP OverSubscribe=FORCE:64
`,
    );
    this.#spawn('munged', [
      ...['munged', '--foreground', '--force', `--key-file=${file('munge.key')}`],
      ...[`--socket=${file('munge')}/socket`, `--pid-file=${file('munge')}/pid`],
      ...[`--log-file=${file('munge.log')}`, `--seed-file=${file('munge')}/seed`],
    ]);
    const munge = ['munge', '--no-input', `--socket=${file('munge')}/socket`];
    await until('munged', async () => (await attempt(munge)).status === 0);
  }

  #spawn(name: string, argv: readonly string[]): void {
    const [program = '', ...words] = argv;
    this.#children.set(name, spawn(program, words, { stdio: 'ignore' }));
  }

  #onServer(argv: readonly string[]): string[] {
    return ['nsenter', `--net=${namespaceFile(this.host)}`, '--', ...argv];
  }

  async startController(): Promise<void> {
    this.#spawn('slurmctld', this.#onServer(['slurmctld', '-D', '-f', this.#file('slurm.conf')]));
    await until('slurmctld', async () => (await this.attempt('sinfo')).status === 0);
  }

  /** One of Slurm's programs, on the server's machine, whatever its exit status. */
  attempt(...argv: string[]) {
    return attempt(this.#onServer(argv), { env: { SLURM_CONF: this.#file('slurm.conf') } });
  }

  async run(...argv: string[]): Promise<string> {
    return await run(this.#onServer(argv), { env: { SLURM_CONF: this.#file('slurm.conf') } });
  }

  async states(): Promise<string[]> {
    return (await this.run('sinfo', '--noheader', '--Node', '--format=%T')).trim().split('\n');
  }

  /** Switches a host on: its own processes, names and files in /run; what lasts is in its /var/cache. Its slurmd is started again when it ends, as by systemd. */
  boot(host: string): void {
    const start =
      'hostname "$1" && mount -t tmpfs none /run && mount --bind "$3" /var/cache && ' +
      'while :; do slurmd -D -f "$2" -N "$1"; sleep 0.2; done';
    this.#spawn(host, [
      ...['nsenter', `--net=${namespaceFile(this.#namespace(host))}`, '--'],
      ...['unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...['sh', '-c', start, 'sh', host, this.#file('slurm.conf'), this.#file(`${host}.cache`)],
    ]);
  }

  /** Runs a program on a host, and answers what it prints. */
  async on(host: string, ...argv: string[]): Promise<string> {
    const unshare = this.#children.get(host)?.pid;
    const first = (await readFile(`/proc/${unshare}/task/${unshare}/children`, 'utf8')).trim();
    return await run([
      'nsenter',
      `--target=${first}`,
      '--net',
      '--mount',
      '--uts',
      '--ipc',
      '--pid',
      '--',
      ...argv,
    ]);
  }

  async setLink(host: string, state: 'up' | 'down'): Promise<void> {
    await run(['ip', '-n', this.host, 'link', 'set', host, state]);
  }

  /** Kills a host, with all that runs there, or `slurmctld`, or `munged`. */
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
    await this.on(host, 'sh', '-c', each).catch(() => ''); // it may be dead
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
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
