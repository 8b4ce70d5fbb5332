/** Platforms of tests: an image store of their own in a temporary folder, and tiny images. */
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Progress } from '@walt/contract';
import { EVERYBODY } from '../src/access/index.ts';
import { Containers } from '../src/images/containers/index.ts';
import { haltImages } from '../src/images/halt.ts';
import { Images, type ImagesDeps } from '../src/images/images.ts';
import type { Terminal } from '../src/images/sessions/index.ts';
import { PodmanApi, Store } from '../src/images/store/index.ts';
import type { HostCommand, ImageRecord, PrepareBoot } from '../src/images/types.ts';
import { bootingNodes } from '../src/nodes/index.ts';
import {
  defaultLimits,
  NO_QUOTAS,
  openDatabase,
  type Paths,
  platformPaths,
  type RegistryConfig,
  type Retention,
  run,
} from '../src/platform/index.ts';
import type { Quotas } from '../src/space/index.ts';
import { type ServerDatabase, serverTables } from '../src/tables.ts';

const direct: HostCommand = (argv) => [...argv];

interface PlatformOptions {
  prepareBoot?: PrepareBoot;
  hasBootFiles?: ImagesDeps['hasBootFiles'];
  bootFaults?: ImagesDeps['bootFaults'];
  registries?: RegistryConfig[];
  retention?: Retention;
  quotas?: Quotas;
  /** File of the database; default: in the platform's folder. */
  database?: string;
  /** Logins and groups, instead of those of this machine. */
  logins?: ImagesDeps['logins'];
}

export interface Platform {
  folder: string;
  options: PlatformOptions;
  paths: Paths;
  deps: ImagesDeps;
  database: ServerDatabase;
  images: Images;
}

export const fakeBoot: PrepareBoot = async () => ({
  kernel: '6.1.0-fake',
  bootPlan: 'volumes',
  models: ['pc-x86-64'],
  lends: [],
});

export const quiet = { info() {}, warn() {}, error() {} };

/** A platform in `folder`; opened again with the same folder, it is the same platform after a restart of its server. */
export async function openPlatform(folder: string, options: PlatformOptions = {}): Promise<Platform> {
  const config = {
    ...{ state: join(folder, 'state'), runtime: join(folder, 'run'), cache: join(folder, 'cache') },
    ...{
      network: { namespace: 'none', subnet: '10.0.0.0/24', interfaces: [], acceptDhcpServers: [] },
      file: null,
    },
    registries: options.registries ?? [],
    images: options.retention ?? { versions: 0, days: 0 },
    power: {},
    engine: 'local' as const,
    access: EVERYBODY,
    quotas: NO_QUOTAS,
    firmware: { nonFree: false },
    logs: { days: 90, size: 2 ** 30 },
    http: { address: '127.0.0.1', port: 0 },
    limits: defaultLimits(),
  };
  const paths = platformPaths(config);
  await mkdir(paths.state, { recursive: true });
  const database = await openDatabase(options.database ?? paths.database, serverTables);
  const prepareBoot = options.prepareBoot ?? fakeBoot;
  const hasBootFiles = options.hasBootFiles ?? (async () => true);
  const bootFaults = options.bootFaults ?? (async () => []);
  const deps = {
    config,
    paths,
    database,
    nodes: bootingNodes,
    prepareBoot,
    hasBootFiles,
    bootFaults,
    log: quiet,
    host: direct,
    ...(options.quotas && { quotas: options.quotas }),
    ...(options.logins && { logins: options.logins }),
  };
  return { folder, options, paths, deps, database, images: await Images.open(deps) };
}

/** A platform with one image, `ann/tiny`, until the last test of the file has ended. */
export async function usePlatform(
  options: PlatformOptions = {},
): Promise<{ platform: Platform; tiny: ImageRecord }> {
  const platform = await openPlatform(await temporaryFolder(), options);
  after(() => destroyPlatform(platform));
  return { platform, tiny: await addTiny(platform) };
}

/** Makes a closed platform its own restart. */
export async function reopenPlatform(platform: Platform): Promise<void> {
  Object.assign(platform, await openPlatform(platform.folder, platform.options));
}

/** Its containers, past the server. */
export async function containersOf({ paths }: Platform): Promise<Containers> {
  const store = await Store.open(paths, direct);
  return new Containers(new PodmanApi(paths, store), store.limitNotes, paths.containers);
}

/** Ends the server of a platform, without a crash. */
export async function closePlatform({ images, database }: Platform): Promise<void> {
  await images.close();
  await database.destroy();
}

/** Removes all that a platform has on this machine. */
export async function destroyPlatform(platform: Platform): Promise<void> {
  await closePlatform(platform);
  await haltImages(platform.paths);
  await rm(platform.folder, { recursive: true, force: true });
}

export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'walt-images-'));
}

/** A tar of a root file system with busybox and a few files; answers its path. */
export async function tinyRoot(folder: string, mark = ''): Promise<string> {
  const root = join(folder, 'tiny');
  for (const name of ['bin', 'etc', 'home/ann', 'root', 'tmp', 'usr/share']) {
    await mkdir(join(root, name), { recursive: true });
  }
  await copyFile('/bin/busybox', join(root, 'bin/busybox'));
  await chmod(join(root, 'bin/busybox'), 0o755);
  for (const name of [
    'sh',
    'cat',
    'chmod',
    'echo',
    'ls',
    'mkdir',
    'rm',
    'sleep',
    'stty',
    'uname',
    'dd',
    'ps',
  ]) {
    await symlink('busybox', join(root, 'bin', name));
  }
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await writeFile(join(root, 'etc/greeting'), 'hello\n');
  await writeFile(join(root, 'home/ann/notes'), 'old\n');
  await writeFile(join(root, 'usr/share/mark'), mark);
  const tar = join(folder, 'tiny.tar');
  await run(['tar', '--numeric-owner', '--owner=0', '--group=0', '-C', root, '-cf', tar, '.']);
  await rm(root, { recursive: true });
  return tar;
}

/** Imports a tiny image; another mark makes other layers. */
export async function addTiny(
  { images, folder }: Platform,
  name = 'tiny',
  mark = '',
  changes: readonly string[] = [],
): Promise<ImageRecord> {
  const source = { tar: await tinyRoot(folder, mark), architecture: 'amd64' as const, changes };
  return result(images.importTar('ann', source, { owner: 'ann', name }, false));
}

/** Runs a call to its end, whatever it reports. */
export async function result<T>(call: AsyncGenerator<Progress, T>): Promise<T> {
  for (;;) {
    const next = await call.next();
    if (next.done) return next.value;
  }
}

/** A user at a terminal: types a line, and reads until the shell has answered. */
export class Typist {
  readonly terminal: Terminal;
  #screen = '';
  #count = 0;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
    terminal.stream.on('data', (chunk: Buffer) => {
      this.#screen += chunk.toString('utf8');
    });
  }

  /** Types a command at the prompt; answers what it printed, once it has ended. */
  async type(command: string): Promise<string> {
    this.#count += 1;
    // What is typed before the first prompt would be echoed twice.
    if (this.#count === 1) await this.#until('# ', 0);
    const from = this.#screen.length;
    // The echo has the quotes in it, the answer has not. What is typed before the shell reads is echoed twice.
    this.terminal.stream.write(`${command}; echo "end"-${this.#count}\r`);
    const end = await this.#until(`end-${this.#count}`, from);
    const echoed = this.#screen.indexOf('\n', this.#screen.lastIndexOf(`"end"-${this.#count}`, end)) + 1;
    return this.#screen.slice(echoed, end);
  }

  /** Types a command until it prints that first, for what comes about in its own time; at most a hundred times. */
  async see(command: string, start: string): Promise<void> {
    let printed = '';
    for (let look = 0; look < 100; look++) {
      printed = await this.type(command);
      if (printed.startsWith(start)) return;
    }
    throw new Error(`${command} still prints ${JSON.stringify(printed)}, not ${JSON.stringify(start)}`);
  }

  /** Waits until the screen shows a text; answers where. */
  async #until(text: string, from: number): Promise<number> {
    for (;;) {
      const at = this.#screen.indexOf(text, from);
      if (at >= 0) return at;
      await once(this.terminal.stream, 'data');
    }
  }

  /** Ends the shell; answers its exit status. */
  async exit(): Promise<number> {
    this.terminal.stream.write('exit 0\r');
    return this.terminal.exited;
  }
}
