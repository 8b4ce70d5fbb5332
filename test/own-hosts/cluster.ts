/** Machines that are to be hosts, and the server's machine, on a switch. */
import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run, type SlurmConfig } from '../../packages/server/src/platform/index.ts';
import { SERVER, Switch } from '../hosts/switch.ts';
import { until } from '../until.ts';

/** Each has an sshd, and forgets nothing when it is switched off. */
export class Cluster extends Switch {
  static async start(count: number): Promise<Cluster> {
    const cluster = new Cluster(await Switch.makeFolder(), count);
    try {
      await run(['mount', '-t', 'tmpfs', '-o', 'mode=755,size=8g', 'walt-cluster', cluster.file()]);
      await cluster.wire();
      await cluster.#makeSsh();
      for (const name of cluster.hosts) cluster.boot(name);
      for (const name of cluster.hosts) await until(`sshd on ${name}`, () => cluster.#answers(name));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Folder of an ssh that knows these machines, and has a key for root there. */
  get bin(): string {
    return this.file('bin');
  }

  /** Logins are root, and joe, who may use sudo. */
  url(host: string, login = 'root'): string {
    return `ssh://${login}@${this.address(host)}`;
  }

  /** The user's own ssh, with a configuration of the test's. */
  async #makeSsh(): Promise<void> {
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', this.file('key')]);
    for (const host of this.hosts) {
      await mkdir(this.file(host));
      await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', this.file(host, 'host_key')]);
    }
    for (const host of this.hosts)
      await this.knowHost(this.address(host), await readFile(this.file(host, 'host_key.pub'), 'utf8'));
    const options = {
      UserKnownHostsFile: this.file('known_hosts'),
      IdentityFile: this.file('key'),
      IdentitiesOnly: 'yes',
    };
    const lines = Object.entries(options).map((option) => option.join(' '));
    await writeFile(this.file('ssh_config'), `${lines.join('\n')}\n`);
    await mkdir(this.bin);
    await writeFile(
      join(this.bin, 'ssh'),
      `#!/bin/sh\nexec /usr/bin/ssh -F ${this.file('ssh_config')} "$@"\n`,
    );
    await chmod(join(this.bin, 'ssh'), 0o755);
  }

  /** What lets its owner in as root. */
  async publicKey(): Promise<string> {
    return (await readFile(this.file('key.pub'), 'utf8')).trim();
  }

  async knowHost(address: string, key: string): Promise<void> {
    await appendFile(this.file('known_hosts'), `${address} ${key}`);
  }

  async #answers(host: string): Promise<boolean> {
    const ssh = [join(this.bin, 'ssh'), '-o', 'BatchMode=yes', '--', this.url(host), 'true'];
    return (await attempt(this.onServer(ssh))).status === 0;
  }

  /** A program on the server's machine. */
  async run(argv: readonly string[], env: Record<string, string> = {}): Promise<string> {
    return await run(this.onServer(argv), { env });
  }

  /** Switches a machine on. */
  boot(host: string): void {
    this.spawnHost(host, [join(import.meta.dirname, 'host.sh'), host, this.file(host)]);
  }

  /** Runs a line of shell there, and answers what it prints. */
  async on(host: string, line: string): Promise<string> {
    const { status, stdout, stderr } = await this.attemptOn(host, 'sh', '-c', line);
    if (status !== 0) throw new Error(`${line} on ${host}: ${status}: ${stdout}${stderr}`);
    return stdout;
  }
}

/** Keys of server.conf for a cluster of the platform's own. */
export const ownCluster: { cluster: 'own' } & Pick<SlurmConfig, 'address'> = {
  cluster: 'own',
  address: SERVER,
};
