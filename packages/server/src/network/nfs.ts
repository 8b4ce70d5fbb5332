import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Paths, type Programs, readIfPresent, UserError, writeFileAtomic } from '../platform/index.ts';
import { appears, sizeOf } from './log-lines.ts';
import {
  movesFolder,
  numberExports,
  type PersistExport,
  parseExports,
  renderExports,
  renderNfsConfig,
} from './nfs-config.ts';
import type { Subnet } from './subnet.ts';
import { writeVersionedConfig } from './versioned-config.ts';

const PROGRAM = 'nfs';
/** What ganesha prints when the exports of a SIGHUP hold, and those left out are gone. */
const REREAD = 'Reread exports complete';
/** Milliseconds after which it is told once more: the first time it may just have been starting. */
const REREAD_LIMIT = 1_000;
const REREAD_ATTEMPTS = 10;

/**
 * Ganesha registers itself with rpcbind, and unregisters whoever was there, through a Unix socket, which no network namespace
 * keeps from it: it would take the host's own NFS server off. NFSv4 needs no rpcbind, so it gets to see none.
 */
const WITHOUT_RPCBIND = [
  ...['unshare', '--mount', '--propagation', 'slave', '--', 'sh', '-c'],
  'if [ -e /run/rpcbind.sock ]; then mount --bind /dev/null /run/rpcbind.sock || exit; fi; exec "$@"',
  'sh',
];

/** nfs-ganesha: the volumes for all nodes, a /persist folder for each. */
export class NfsServer {
  readonly #programs: Programs;
  readonly #subnet: Subnet;
  readonly #paths: Pick<Paths, 'logs' | 'volumes'>;
  readonly #exportsFile: string;
  /** True once ganesha is known to have read the file as it is. */
  #inStep = false;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    programs: Programs,
    subnet: Subnet,
    paths: Pick<Paths, 'logs' | 'volumes'>,
    exportsFile: string,
  ) {
    this.#programs = programs;
    this.#subnet = subnet;
    this.#paths = paths;
    this.#exportsFile = exportsFile;
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
    const nfs = new NfsServer(programs, subnet, paths, exportsFile);
    // Again from what they were: the volumes folder or the subnet may be another one now.
    await nfs.#write(await nfs.#exports());
    const text = renderNfsConfig({ server: subnet.server, recoveryFolder, exportsFile });
    const configFile = await writeVersionedConfig(folder, 'ganesha', text);
    await programs.ensure({
      name: PROGRAM,
      argv: [
        ...WITHOUT_RPCBIND,
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
      ready: () => accepts(subnet.server, 2049),
    });
    return nfs;
  }

  /**
   * Replaces all /persist exports; resolves when nodes can mount them, and those left out are gone. Folders that are missing
   * are made. Mounts that stay are not disturbed.
   */
  setExports(exports: readonly PersistExport[]): Promise<void> {
    const result = this.#turn.then(() => this.#replace(exports));
    this.#turn = result.catch(() => {}); // the caller gets the error
    return result;
  }

  async #replace(exports: readonly PersistExport[]): Promise<void> {
    const before = await this.#exports();
    const after = numberExports(before, exports);
    for (const { folder } of after) await mkdir(folder, { recursive: true });
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
