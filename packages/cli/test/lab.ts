/**
 * Two machines that are network and mount namespaces of this one: a server's, with real SSH servers and users that are known there
 * alone, and a laptop, whose user has a home, keys and a ~/.ssh of his own. Nothing of them is left afterwards.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestServer } from '../../server/test/server.ts';
import { type Checkout, type Outcome, outcome, type RunOptions } from './checkout.ts';
import { Pty } from './pty.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');
/** For examples (RFC 5737); nothing leaves the two namespaces. */
export const SERVER_ADDRESS = '192.0.2.1';
export const LAPTOP_ADDRESS = '192.0.2.2';
/** Of the server's machine; WalT's server has never heard of the last one. */
export const USERS: Readonly<Record<string, number>> = { alice: 64_001, bob: 64_002, stranger: 64_003 };

/** For `startServer`: whom the server's machine knows. */
export const signIn = {
  loginName: async (uid: number) => ['alice', 'bob'].find((user) => USERS[user] === uid),
};

/** Namespaces that last as long as this process, or until they are ended. */
class Machine {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  /** `script` runs in there first, with these arguments. */
  static async start(script: string, ...args: string[]): Promise<Machine> {
    const line = `set -e; ip link set lo up; ${script}\necho ready; exec cat`;
    const argv = ['--net', '--mount', '--propagation', 'private', '--', 'sh', '-c', line, 'sh', ...args];
    const holder = spawn('unshare', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    await Promise.race([
      once(holder.stdout, 'data'),
      once(holder, 'exit').then(() => Promise.reject(new Error('the machine did not start'))),
    ]);
    return new Machine(holder);
  }

  get pid(): number {
    return this.#holder.pid ?? 0;
  }

  argv(...command: string[]): string[] {
    return ['/usr/bin/nsenter', '-t', String(this.pid), '--net', '--mount', '--', ...command];
  }

  /** Of what runs in there. */
  processes(): number[] {
    const namespace = readlinkSync(`/proc/${this.pid}/ns/net`);
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((name) => {
        try {
          return readlinkSync(`/proc/${name}/ns/net`) === namespace;
        } catch {
          return false;
        }
      })
      .map(Number)
      .filter((pid) => pid !== this.pid);
  }

  /** With all that runs in there. */
  async end(): Promise<void> {
    for (const pid of this.processes()) kill(pid);
    const ended = once(this.#holder, 'close');
    this.#holder.stdin?.end();
    await ended;
  }
}

export class Lab implements AsyncDisposable {
  readonly folder: string;
  readonly #checkout: Checkout;
  /** Folder of the server's socket. */
  readonly #server: string;
  /** As the server's machine sees it. */
  readonly #socket: string;
  #host!: Machine;
  #laptop!: Machine;

  private constructor(checkout: Checkout, socketFolder: string) {
    // Paths of sockets are short (unix(7)), whatever TMPDIR is.
    this.folder = mkdtempSync('/tmp/walt-lab-');
    this.#checkout = checkout;
    this.#server = socketFolder;
    this.#socket = join(this.folder, 'run/walt.sock');
  }

  static async open(server: TestServer, checkout: Checkout): Promise<Lab> {
    const lab = new Lab(checkout, server.folder);
    try {
      chmodSync(lab.folder, 0o755);
      chmodSync(server.folder, 0o755);
      await lab.#start();
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { folder } = this;
    const there = join(folder, 'walt');
    mkdirSync(join(there, 'node_modules'), { recursive: true });
    mkdirSync(join(there, 'dist'));
    mkdirSync(join(folder, 'run'));
    cpSync(this.#checkout.walt, join(there, 'walt'));
    mkdirSync(this.home, { recursive: true });
    mkdirSync(join(this.home, '.ssh'), { mode: 0o700 });
    mkdirSync(join(folder, 'keys'));
    this.#writeUsers('passwd.host', Object.entries(USERS));
    this.#writeUsers('passwd.laptop', [], this.home);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(this.home, '.ssh/id_ed25519')]);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'host_key')]);
    const key = readFileSync(join(this.home, '.ssh/id_ed25519.pub'), 'utf8');
    for (const user of ['alice', 'bob', 'stranger']) writeFileSync(join(folder, 'keys', user), key);
    this.knowHost();
    const binds = [
      'mount --bind "$1/passwd.host" /etc/passwd',
      'mount --bind "$2/dist" "$1/walt/dist"',
      'mount --bind "$3/node_modules" "$1/walt/node_modules"',
      'mount --bind "$4" "$1/run"',
    ];
    this.#host = await Machine.start(
      binds.join('; '),
      folder,
      this.#checkout.folder,
      REPOSITORY,
      this.#server,
    );
    // A laptop has no server.
    const hides = ['/run', '/var/lib'].map((path) => `mount -t tmpfs none ${path}`);
    const own = 'mount --bind "$1/passwd.laptop" /etc/passwd';
    this.#laptop = await Machine.start([own, ...hides].join('; '), folder);
    const ip = (...words: string[]) => execFileSync('ip', words);
    const ends = [
      ['host', this.#host, SERVER_ADDRESS],
      ['laptop', this.#laptop, LAPTOP_ADDRESS],
    ] as const;
    const [host, laptop] = [String(this.#host.pid), String(this.#laptop.pid)];
    ip('link', 'add', 'host', 'netns', host, 'type', 'veth', 'peer', 'name', 'laptop', 'netns', laptop);
    for (const [name, machine, address] of ends) {
      const [program = '', ...before] = machine.argv('ip');
      execFileSync(program, [...before, 'address', 'add', `${address}/24`, 'dev', name]);
      execFileSync(program, [...before, 'link', 'set', name, 'up']);
    }
    await this.sshd(22);
  }

  #writeUsers(file: string, users: [string, number][], rootHome = '/nonexistent'): void {
    const lines = [
      `root:x:0:0:root:${rootHome}:/bin/bash`,
      'sshd:x:64000:65534::/run/sshd:/usr/sbin/nologin',
      'nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin',
    ];
    for (const [name, uid] of users) {
      const home = join(this.folder, `home-${name}`);
      mkdirSync(home, { mode: 0o700 });
      chownSync(home, uid, 65_534);
      lines.push(`${name}:*:${uid}:65534:${name}:${home}:/bin/bash`);
    }
    writeFileSync(join(this.folder, file), `${lines.join('\n')}\n`);
  }

  /** Of the laptop's user. */
  get home(): string {
    return join(this.folder, 'laptop');
  }

  /** Of a user of the server's machine. */
  homeOf(user: string): string {
    return join(this.folder, `home-${user}`);
  }

  /** Writes what the laptop's user has noted of the server's machine. */
  knowHost(key = readFileSync(join(this.folder, 'host_key.pub'), 'utf8')): void {
    writeFileSync(join(this.home, '.ssh/known_hosts'), `* ${key}`);
  }

  /** One more SSH server, on that port, with these lines of configuration before the others. Resolves when it listens. */
  async sshd(port: number, lines: readonly string[] = []): Promise<void> {
    // Its privilege separation folder, which Debian's service makes at its start.
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    const file = join(this.folder, `sshd_config-${port}`);
    const all = [
      ...lines,
      `Port ${port}`,
      `HostKey ${join(this.folder, 'host_key')}`,
      `AuthorizedKeysFile ${join(this.folder, 'keys/%u')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'LogLevel ERROR',
      // Fifty laptops at once are fifty strangers for a moment.
      'MaxStartups 100',
      `SetEnv PATH=${join(this.folder, 'walt')}:/usr/bin:/bin WALT_SOCKET=${this.#socket}`,
    ];
    writeFileSync(file, `${all.join('\n')}\n`, { mode: 0o600 });
    const argv = this.#host.argv('/usr/sbin/sshd', '-D', '-e', '-f', file);
    const sshd = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    let ended = false;
    sshd.once('exit', () => {
      ended = true;
    });
    while (!this.#listens(port)) {
      if (ended) throw new Error(`sshd on port ${port} did not start`);
      await delay(20);
    }
  }

  #listens(port: number): boolean {
    const sockets = readFileSync(`/proc/${this.#host.pid}/net/tcp`, 'utf8');
    const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    return sockets.split('\n').some((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      return local.endsWith(end) && state === '0A';
    });
  }

  /** Environment of the laptop's user. `runtime`: another one of his sessions, which shares no connection. */
  env(url: string | undefined, runtime = 'runtime'): Record<string, string> {
    const folder = join(this.folder, runtime);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { WALT_SOCKET: _, ...env } = this.#checkout.env;
    return {
      ...env,
      HOME: this.home,
      XDG_RUNTIME_DIR: folder,
      ...(url !== undefined && { WALT_SERVER: url }),
    };
  }

  /** The command line of a program on the laptop. */
  argvOnLaptop(...argv: string[]): string[] {
    return this.#laptop.argv(...argv);
  }

  /** The command line of a `walt` on the server's machine, by one of its users. */
  argvOnServer(user: string, ...words: string[]): string[] {
    const uid = USERS[user];
    const env = [`HOME=${this.homeOf(user)}`, `WALT_SOCKET=${this.#socket}`, 'PATH=/usr/bin:/bin'];
    const as = ['/usr/bin/setpriv', `--reuid=${uid}`, '--regid=65534', '--clear-groups', '--'];
    return this.#host.argv(...as, '/usr/bin/env', ...env, join(this.folder, 'walt/walt'), ...words);
  }

  /** Any program on the laptop. */
  start(argv: readonly string[], { env, cwd }: RunOptions = {}): ChildProcess {
    const [program = '', ...args] = this.#laptop.argv(...argv);
    return spawn(program, args, { env: env ?? this.env(undefined), cwd: cwd ?? this.home });
  }

  /** Runs `walt` on the laptop to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const child = this.start([this.#checkout.walt, ...args], options);
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
    return outcome(child);
  }

  /** Runs `walt` there on a terminal. */
  terminal(args: readonly string[], env = this.env(undefined)): Pty {
    return new Pty(this.#laptop.argv(this.#checkout.walt, ...args), env, this.home);
  }

  /** What runs on the laptop, by the names of their programs. */
  laptopPrograms(): { pid: number; name: string }[] {
    return this.#laptop.processes().flatMap((pid) => {
      try {
        return [{ pid, name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() }];
      } catch {
        return [];
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#laptop?.end();
    await this.#host?.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
