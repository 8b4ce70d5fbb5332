/** A platform of the test's own, in its own namespace and folders, of which nothing is left afterwards. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { Node, ServerStatus } from '@walt/contract';
import { answers } from '../packages/server/src/launcher.ts';
import {
  attempt,
  type Config,
  type ExecResult,
  loadConfig,
  namespaceFile,
  type Paths,
  platformPaths,
  run,
  SUPERVISOR,
} from '../packages/server/src/platform/index.ts';
import { Client, checkout } from './client.ts';
import { leftovers, type Marks, mountsIn, namespaceId, processesOf } from './leftovers.ts';
import { until } from './until.ts';

export interface PlatformOptions {
  /** Puts the state folder on a file system of this size in RAM, as `2g`; default: a folder on disk. */
  stateSize?: string;
  /** False: an empty platform. Default: it has the default image. */
  image?: boolean;
  /** False: nothing is started yet. */
  start?: boolean;
  /** True: it does not share the machine's cache of default images. */
  ownCache?: boolean;
  /** Further keys of `network` in its server.conf. */
  network?: object;
  /** Name of a network namespace that plays the machine's own network; default: that one itself. */
  host?: string;
  /** Registries of its server.conf; default: none, so that no test asks Docker Hub. */
  registries?: readonly object[];
  /** Where programs of the machine ask by HTTP; default: nowhere. */
  http?: { address: string; port: number };
  /** True: it may fetch firmware that is not free software. */
  nonFree?: boolean;
  /** A folder of programs that `walt-server` finds before those of the machine. */
  programs?: string;
  /** The cluster whose hosts run its virtual nodes; default: the server does. */
  slurm?: object;
}

/** Platforms of this process that are not removed yet. */
const open = new Set<Platform>();
let made = 0;

/** The default image of PC nodes. */
export const DEFAULT_IMAGE = 'pc-x86-64-default';

export class Platform implements AsyncDisposable {
  readonly folder: string;
  readonly configFile: string;
  readonly config: Config;
  readonly paths: Paths;
  /** Client of the user who runs the tests: root. */
  readonly root: Client;
  #namespaceId: string | undefined;
  #closing: Promise<void> | undefined;
  readonly #clients = new Map<string, Promise<Client>>();
  /** What `walt-server` is run by. */
  readonly #prefix: readonly string[];
  readonly #programs: string | undefined;

  private constructor(folder: string, config: Config, root: Client, { host, programs }: PlatformOptions) {
    this.#programs = programs;
    this.#prefix = host === undefined ? [] : ['nsenter', `--net=${namespaceFile(host)}`, '--'];
    this.folder = folder;
    this.configFile = join(folder, 'server.conf');
    this.config = config;
    this.paths = platformPaths(config);
    this.root = root;
    open.add(this);
  }

  static async start(options: PlatformOptions = {}): Promise<Platform> {
    const platform = await Platform.#make(options);
    try {
      if (options.start === false) return platform;
      await platform.up();
      if (options.image !== false)
        await platform.root.ok('advanced', 'update-default-images', '--if-missing');
      return platform;
    } catch (error) {
      const journal = await platform.journal().catch(() => 'none');
      await platform.close();
      throw new Error(`the platform did not start; the end of its journal:\n${journal}`, { cause: error });
    }
  }

  static async #make(options: PlatformOptions): Promise<Platform> {
    const {
      ownCache = false,
      stateSize,
      registries = [],
      nonFree = false,
      network = {},
      http,
      slurm,
    } = options;
    made += 1;
    const folder = await mkdtemp(join(process.env.TMPDIR ?? '/var/tmp', 'walt-test-'));
    await chmod(folder, 0o755); // other users' homes are in it
    const configFile = join(folder, 'server.conf');
    const disk = join(folder, 'disk');
    await mkdir(disk, { mode: 0o755 });
    if (stateSize) {
      await run(['mount', '-t', 'tmpfs', '-o', `size=${stateSize},mode=755`, 'walt-test', disk]);
    }
    const settings = [
      `state: ${disk}/state`,
      `runtime: ${folder}/run`,
      // Otherwise the cache is the machine's: the default image is made once, not by each test.
      ...(ownCache ? [`cache: ${folder}/cache`] : []),
      `network: ${JSON.stringify({ namespace: `wt${process.pid}-${made}`, ...network })}`,
      `registries: ${JSON.stringify(registries)}`,
      `firmware: { non-free: ${nonFree} }`,
      ...(http ? [`http: ${JSON.stringify(http)}`] : []),
      ...(slurm ? ['engine: slurm', `slurm: ${JSON.stringify(slurm)}`] : []),
    ];
    await writeFile(configFile, `${settings.join('\n')}\n`);
    const root = await Client.make(userInfo().username, folder, join(folder, 'run', 'walt.sock'));
    return new Platform(folder, await loadConfig(configFile), root, options);
  }

  get namespace(): string {
    return this.config.network.namespace;
  }

  /** A client of another real user of the machine, as `daemon` or `games`. */
  as(user: string): Promise<Client> {
    const client = this.#clients.get(user) ?? Client.make(user, this.folder, this.paths.socket);
    this.#clients.set(user, client);
    return client;
  }

  /** Runs `walt-server` on this platform, whatever its exit status. */
  server(...words: string[]): Promise<ExecResult> {
    return attempt([...this.#prefix, join(checkout, 'walt-server'), ...words], {
      timeout: 120_000,
      env: {
        WALT_CONFIG: this.configFile,
        ...(this.#programs === undefined ? {} : { PATH: `${this.#programs}:${process.env.PATH}` }),
      },
    });
  }

  /** Starts the server, also after it was killed. */
  async up(): Promise<void> {
    const { status, stderr } = await this.server('start');
    assert.equal(status, 0, `walt-server start: ${stderr}`);
    await this.noteNamespace();
  }

  /** After somebody else has started it: looks which namespace it has, so that nothing in there is overlooked at the end. */
  async noteNamespace(): Promise<void> {
    this.#namespaceId = await namespaceId(this.namespace);
    assert.ok(this.#namespaceId, `namespace ${this.namespace} is there`);
  }

  async status(): Promise<ServerStatus> {
    return this.root.json<ServerStatus>('advanced', 'server-status');
  }

  /** Process number of the server itself, or of a program that it watches, or of its own `supervisor`. Throws when it never ran. */
  async pid(program = 'walt-server'): Promise<number> {
    const file = {
      'walt-server': join(this.config.runtime, 'server.json'),
      supervisor: join(this.paths.programs, `${SUPERVISOR}.json`),
    }[program];
    const record = await readFile(file ?? join(this.paths.programs, `${program}.json`), 'utf8');
    return Number(JSON.parse(record).pid);
  }

  /** Name of the network interface of a virtual machine, read from its command line. */
  async tapOf(program: string): Promise<string> {
    const command = await readFile(`/proc/${await this.pid(program)}/cmdline`, 'utf8');
    const tap = /ifname=([^,\0]+)/.exec(command)?.[1];
    assert.ok(tap, `${program} has an interface`);
    return tap;
  }

  /** Kills a program as a crash would, and resolves when it is gone. The server's supervisor is killed first: it stays away until `up`. */
  async kill(program = 'walt-server'): Promise<void> {
    const pids = [
      ...(program === 'walt-server' ? [await this.pid('supervisor')] : []),
      await this.pid(program),
    ];
    for (const pid of pids) signal(pid);
    await until(
      `the end of ${program}`,
      async () => !(await Promise.all(pids.map(isRunning))).includes(true),
    );
  }

  /** Ends the server as a crash would, and waits until it is back by itself. Answers after how many milliseconds it served again. */
  async crash(how: NodeJS.Signals = 'SIGKILL'): Promise<number> {
    const before = await this.pid();
    // What happened before is not its fault: it is not to wait.
    process.kill(await this.pid('supervisor'), 'SIGCONT');
    const killed = Date.now();
    process.kill(before, how);
    return until('the server to be back', async () => {
      const back = (await this.pid()) !== before && (await answers(this.config));
      return back && Date.now() - killed;
    });
  }

  /** Waits until that program is ready under another process number than `before`. Answers when it was, in Unix milliseconds. */
  async restarted(program: string, before: number, limit?: number): Promise<number> {
    const ready = new RegExp(`^(\\S+) info programs ready program="${program}" pid=(\\d+)$`, 'gm');
    const isReady = async () => {
      const journal = await readFile(join(this.paths.logs, 'walt-server.log'), 'utf8');
      const last = [...journal.matchAll(ready)].at(-1);
      return last?.[1] !== undefined && Number(last[2]) !== before && Date.parse(last[1]);
    };
    return until(`${program} to be started again`, isReady, limit);
  }

  /** Makes virtual nodes and waits until all have booted. */
  async boot(...names: string[]): Promise<void> {
    for (const name of names) await this.root.ok('node', 'create', name);
    await this.booted(...names);
  }

  /** Waits until these nodes have booted. Throws with the end of their consoles when they do not. */
  async booted(...names: string[]): Promise<void> {
    try {
      await this.root.ok('node', 'wait', names.join(','), '--timeout', '900');
    } catch (error) {
      const nodes = (await this.node()).map(({ name, state, image }) => `${name} ${state} ${image}`);
      throw new Error(`${nodes.join('\n')}\n${await this.consoles()}\n${await this.journal()}`, {
        cause: error,
      });
    }
  }

  async node(): Promise<Node[]> {
    return this.root.json<Node[]>('node', 'show', '--all');
  }

  /** The end of what each virtual node printed on its serial port. */
  async consoles(): Promise<string> {
    const { stdout } = await attempt([
      'find',
      this.paths.virtual,
      '-name',
      '*.log',
      '-exec',
      'tail',
      '-n',
      '30',
      '{}',
      '+',
    ]);
    return stdout;
  }

  /** The end of the server's journal. */
  async journal(): Promise<string> {
    return (await attempt(['tail', '-n', '40', '--', join(this.paths.logs, 'walt-server.log')])).stdout;
  }

  /** What the journal says of failures that the server did not expect. */
  async mistakes(): Promise<string[]> {
    const journal = await readFile(join(this.paths.logs, 'walt-server.log'), 'utf8').catch(() => '');
    return journal.split('\n').filter((line) => line.includes(' a call failed unexpectedly '));
  }

  /** What it has on the machine now. */
  get marks(): Marks {
    return { namespace: this.namespace, folder: this.folder, namespaceId: this.#namespaceId };
  }

  /** Stops and removes all of it, and asserts that nothing is left. Who calls it again waits for the same end. */
  close(): Promise<void> {
    this.#closing ??= this.#remove();
    return this.#closing;
  }

  async #remove(): Promise<void> {
    open.delete(this);
    // The client that a test looks at was only told that the journal has the details, and that goes with the platform.
    for (const line of await this.mistakes()) console.error(line);
    const { status, stderr } = await this.server('cleanup', '--delete-data');
    await attempt(['umount', '--', dirname(this.config.state)]); // a disk in RAM is a mount of ours
    const left = await settled(this.marks);
    // Whatever was forgotten is told below, but must not disturb the next test.
    for (const { pid } of processesOf(this.marks)) signal(pid);
    for (const mount of mountsIn(this.folder)) await attempt(['umount', '--lazy', '--', mount]);
    await attempt(['ip', 'netns', 'delete', this.namespace]);
    await attempt(['ip', 'netns', 'delete', `${this.namespace}-host`]);
    await rm(this.folder, { recursive: true, force: true });
    assert.equal(status, 0, `walt-server cleanup: ${stderr}`);
    assert.deepEqual(left, [], 'nothing is left of the platform');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What is left once all that is ending has ended. */
async function settled(marks: Marks): Promise<string[]> {
  let left: string[] = [];
  await until(
    'the end of the platform',
    async () => {
      left = await leftovers(marks);
      return left.length === 0;
    },
    10_000,
  ).catch(() => {});
  return left;
}

async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) [ZX] /.test(stat);
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, async () => {
    await Promise.allSettled([...open].map((platform) => platform.close()));
    process.exit(1);
  });
}

/** For tests of their own folder: a temporary one that goes with `using`. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'walt-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
