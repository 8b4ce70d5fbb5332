/** A cluster of Slurm on this machine, on a switch. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { attempt, run } from '../../packages/server/src/platform/index.ts';
import { until } from '../until.ts';
import { SERVER, Switch } from './switch.ts';

/** Each host has the feature `on-h1` and so on. What is killed by name may also be `slurmctld` or `munged`. */
export class Cluster extends Switch {
  static async start(count: number): Promise<Cluster> {
    const cluster = new Cluster(await Switch.makeFolder(), count);
    try {
      await cluster.wire();
      await cluster.#configure();
      await cluster.startController();
      for (const name of cluster.hosts) cluster.boot(name);
      await until('the hosts', async () => (await cluster.states()).every((state) => state === 'idle'));
      return cluster;
    } catch (error) {
      const log = await readFile(cluster.file('slurmctld.log'), 'utf8').catch(() => 'none');
      await cluster[Symbol.asyncDispose]();
      throw new Error(`the cluster did not start: ${log}`, { cause: error });
    }
  }

  /** Keys of server.conf. */
  get keys(): { config: string; address: string } {
    return { config: this.file('slurm.conf'), address: SERVER };
  }

  async #configure(): Promise<void> {
    const file = (name: string) => this.file(name);
    await chmod(this.file(), 0o755);
    const folders = ['munge', 'state', 'spool', ...this.hosts.map((host) => `${host}.cache`)];
    for (const name of folders) await mkdir(file(name), { mode: 0o755 });
    await writeFile(file('munge.key'), randomBytes(1024), { mode: 0o600 });
    await writeFile(file('cgroup.conf'), 'CgroupPlugin=cgroup/v1\n');
    const nodes = this.hosts.map(
      (host) => `NodeName=${host} NodeAddr=${this.address(host)} CPUs=8 RealMemory=8000 Feature=on-${host}\n`,
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
    this.spawn('munged', [
      ...['munged', '--foreground', '--force', `--key-file=${file('munge.key')}`],
      ...[`--socket=${file('munge')}/socket`, `--pid-file=${file('munge')}/pid`],
      ...[`--log-file=${file('munge.log')}`, `--seed-file=${file('munge')}/seed`],
    ]);
    const munge = ['munge', '--no-input', `--socket=${file('munge')}/socket`];
    await until('munged', async () => (await attempt(munge)).status === 0);
  }

  async startController(): Promise<void> {
    this.spawn('slurmctld', this.onServer(['slurmctld', '-D', '-f', this.file('slurm.conf')]));
    await until('slurmctld', async () => (await this.attempt('sinfo')).status === 0);
  }

  /** One of Slurm's programs, on the server's machine, whatever its exit status. */
  attempt(...argv: string[]) {
    return attempt(this.onServer(argv), { env: { SLURM_CONF: this.file('slurm.conf') } });
  }

  async run(...argv: string[]): Promise<string> {
    return await run(this.onServer(argv), { env: { SLURM_CONF: this.file('slurm.conf') } });
  }

  async states(): Promise<string[]> {
    return (await this.run('sinfo', '--noheader', '--Node', '--format=%T')).trim().split('\n');
  }

  /** Switches a host on: its own processes, names and files in /run; what lasts is in its /var/cache. Its slurmd is started again when it ends, as by systemd. */
  boot(host: string): void {
    const start =
      'hostname "$1" && mount -t tmpfs none /run && mount --bind "$3" /var/cache && ' +
      'while :; do slurmd -D -f "$2" -N "$1"; sleep 0.2; done';
    const files = [this.file('slurm.conf'), this.file(`${host}.cache`)];
    this.spawnHost(host, ['sh', '-c', start, 'sh', host, ...files]);
  }

  /** Runs a program on a host, and answers what it prints. */
  async on(host: string, ...argv: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.attemptOn(host, ...argv);
    if (status !== 0) throw new Error(`${argv.join(' ')} on ${host}: ${status}: ${stderr}`);
    return stdout;
  }
}
