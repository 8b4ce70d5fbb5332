import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Paths,
  type ProgramSpec,
  type Programs,
  readIfPresent,
  UserError,
  writeFileAtomic,
} from '../platform/index.ts';
import { appears, sizeOf } from './log-lines.ts';
import {
  type Export,
  movesFolder,
  numberExports,
  type PersistExport,
  parseExports,
  renderExports,
  renderNfsConfig,
  type TreeExport,
} from './nfs-config.ts';
import { mountTreesAtStart, TreeMounts } from './nfs-trees.ts';
import { NFS_PORT } from './portmapper.ts';
import type { Subnet } from './subnet.ts';
import { writeVersionedConfig } from './versioned-config.ts';

const PROGRAM = 'nfs';
/** What ganesha prints when the exports of a SIGHUP hold, and those left out are gone. */
const REREAD = 'Reread exports complete';
/** Milliseconds after which it is told once more: the first time it may just have been starting. */
const REREAD_LIMIT = 1_000;
const REREAD_ATTEMPTS = 10;
/** Milliseconds before another attempt at what failed in its mount namespace. */
const INSIDE_PAUSE = 100;

/**
 * Ganesha registers itself with rpcbind, and unregisters whoever was there, through a Unix socket, which no network namespace
 * keeps from it: it would take the host's own NFS server off. So it gets to see none, and turns to our portmapper instead.
 * Its mounts are its own, too: images' trees are mounted there and nowhere else, and are gone with it.
 */
const OWN_MOUNTS = [
  ...['unshare', '--mount', '--propagation', 'slave', '--', 'sh', '-c'],
  `if [ -e /run/rpcbind.sock ]; then mount --bind /dev/null /run/rpcbind.sock || exit; fi; ${mountTreesAtStart} exec "$@"`,
  'sh',
];

/** nfs-ganesha: the volumes for all nodes, a /persist folder for each, file trees of images for those that need them. */
export class NfsServer {
  readonly #programs: Programs;
  readonly #subnet: Subnet;
  readonly #paths: Pick<Paths, 'logs' | 'volumes'>;
  readonly #exportsFile: string;
  readonly #trees: TreeMounts;
  #spec: ProgramSpec | undefined;
  /** True once ganesha is known to have read the file as it is. */
  #inStep = false;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    programs: Programs,
    subnet: Subnet,
    paths: Pick<Paths, 'logs' | 'volumes'>,
    exportsFile: string,
    trees: TreeMounts,
  ) {
    this.#programs = programs;
    this.#subnet = subnet;
    this.#paths = paths;
    this.#exportsFile = exportsFile;
    this.#trees = trees;
  }

  /** Adopts or starts it. The exports are those of last time until `setExports`. */
  static async open(options: {
    subnet: Subnet;
    paths: Pick<Paths, 'services' | 'logs' | 'volumes'>;
    programs: Programs;
  }): Promise<NfsServer> {
    const { subnet, paths, programs } = options;
    const folder = join(paths.services, 'nfs');
    const recoveryFolder = join(folder, 'recovery');
    const exportsFile = join(folder, 'exports');
    await mkdir(recoveryFolder, { recursive: true });
    await mkdir(paths.volumes, { recursive: true });
    const trees = await TreeMounts.open(join(folder, 'trees'));
    const nfs = new NfsServer(programs, subnet, paths, exportsFile, trees);
    // Again from what they were: the volumes folder or the subnet may be another one now.
    await nfs.#write(await nfs.#exports());
    const text = renderNfsConfig({ server: subnet.server, recoveryFolder, exportsFile });
    const configFile = await writeVersionedConfig(folder, 'ganesha', text);
    const spec: ProgramSpec = {
      name: PROGRAM,
      argv: [
        ...OWN_MOUNTS,
        trees.folder,
        'ganesha.nfsd',
        '-F',
        '-f',
        configFile,
        '-p',
        join(folder, 'pid'),
        '-L',
        'STDERR',
      ],
      // It would claim a name on the machine's bus, which only one NFS server can have, and which we do not need.
      env: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' },
      ready: () => accepts(subnet.server, NFS_PORT),
    };
    await programs.ensure(spec);
    nfs.#spec = spec;
    return nfs;
  }

  /**
   * Replaces all exports but the volumes'; resolves when nodes can mount them, and those left out are gone. Folders of /persist
   * that are missing are made. Mounts that stay are not disturbed.
   */
  setExports(exports: readonly PersistExport[], trees: readonly TreeExport[] = []): Promise<void> {
    const result = this.#turn.then(() => this.#replace(exports, trees));
    this.#turn = result.catch(() => {}); // the caller gets the error
    return result;
  }

  async #replace(persist: readonly PersistExport[], trees: readonly TreeExport[]): Promise<void> {
    for (const { folder } of persist) await mkdir(folder, { recursive: true });
    const wanted = new Map(trees.map(({ tree }) => [tree.name, tree]));
    for (const tree of wanted.values()) await this.#inside((pid) => this.#trees.mount(tree, pid));
    await this.#export([
      ...persist.map(
        ({ id, folder, ip }): Export => ({ pseudo: `/persist/${id}`, folder, ip, kind: 'persist' }),
      ),
      ...trees.flatMap(({ tree, paths, ip }) =>
        paths.map((pseudo): Export => ({ pseudo, folder: this.#trees.path(tree), ip, kind: 'tree' })),
      ),
    ]);
    await this.#inside((pid) => this.#trees.keepOnly(wanted, pid));
  }

  /** Calls `act` with ganesha's process number once it is ready: before, its mounts are not its own yet. */
  async #inside(act: (pid: number) => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      if (this.#spec) await this.#programs.ensure(this.#spec);
      const pid = this.#programs.pid(PROGRAM);
      try {
        if (pid !== undefined) return await act(pid);
      } catch (error) {
        // It may just have died.
        if (attempt >= REREAD_ATTEMPTS) throw error;
      }
      await delay(INSIDE_PAUSE);
    }
  }

  async #export(exports: readonly Export[]): Promise<void> {
    const before = await this.#exports();
    const after = numberExports(before, exports);
    if (!(await this.#write(after)) && this.#inStep) return;
    // The first time, ganesha refuses the new export of a name that the old one still has, and then drops the old one.
    const rounds = this.#inStep && !movesFolder(before, after) ? 1 : 2;
    this.#inStep = false;
    for (let round = 0; round < rounds; round++) await this.#reread();
    this.#inStep = true;
  }

  async #exports() {
    return parseExports((await readIfPresent(this.#exportsFile)) ?? '');
  }

  /** False when the file says so already. */
  async #write(exports: Parameters<typeof renderExports>[2]): Promise<boolean> {
    const text = renderExports(this.#paths.volumes, this.#subnet, exports);
    if ((await readIfPresent(this.#exportsFile)) === text) return false;
    await writeFileAtomic(this.#exportsFile, text);
    return true;
  }

  async #reread(): Promise<void> {
    const log = join(this.#paths.logs, `${PROGRAM}.log`);
    for (let attempt = 0; attempt < REREAD_ATTEMPTS; attempt++) {
      const offset = await sizeOf(log);
      this.#programs.signal(PROGRAM, 'SIGHUP');
      if (await appears(log, offset, REREAD, REREAD_LIMIT)) return;
    }
    throw new UserError(
      'UNAVAILABLE',
      `The NFS server did not take over its exports in ${(REREAD_ATTEMPTS * REREAD_LIMIT) / 1000} s.`,
      `Look into its log, ${log}.`,
    );
  }
}

/** True when something listens there. */
function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 250 });
    const end = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}
