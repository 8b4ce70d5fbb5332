import { createHash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  answers,
  ensureDiskImage,
  inParallel,
  isExternalError,
  type Log,
  type Paths,
  type ProgramSpec,
  type Programs,
  readIfPresent,
  readOnlyMounts,
  remountVolumesDisk,
  requireVolumesApart,
  roomIn,
  UserError,
  writeFileAtomic,
} from '../../platform/index.ts';
import type { Subnet } from '../subnet.ts';
import { writeVersionedConfig } from '../versioned-config.ts';
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
import { type Mount, NfsMounts } from './nfs-mounts.ts';
import { NFS_PORT } from './portmapper.ts';

/** Milliseconds for a connection to it. */
const ANSWER_LIMIT = 250;
const PROGRAM = 'nfs';
/** What ganesha prints when the exports of a SIGHUP hold, and those left out are gone. */
const REREAD = 'Reread exports complete';
/** Milliseconds after which it is told once more: the first time it may just have been starting. */
const REREAD_LIMIT = 1_000;
const REREAD_ATTEMPTS = 10;
/** Milliseconds before another attempt at what failed in its mount namespace, and how often. */
const INSIDE_PAUSE = 100;
const INSIDE_ATTEMPTS = 30;
/** Mounts that are made at a time. */
const PARALLEL = 8;
/** Exit status of what mounts an image that cannot be mended (platform/disks/mount-image.sh). */
const DAMAGED = 4;

type NfsPaths = Pick<Paths, 'services' | 'logs' | 'state' | 'volumes' | 'volumesImage'>;

interface Wanted {
  mount: Mount;
  ip: string;
  /** By which the node mounts it. */
  paths: readonly string[];
  kind: Export['kind'];
}

/**
 * nfs-ganesha: the volumes for all nodes, a /persist for each, file trees of images for those that need them.
 *
 * It opens whatever a handle names in the file system that an export lies on, and clients can make handles up. So each export
 * lies on a file system that holds nothing else: see decision 0047.
 */
export class NfsServer {
  readonly #programs: Programs;
  readonly #subnet: Subnet;
  readonly #paths: NfsPaths;
  readonly #exportsFile: string;
  readonly #mounts: NfsMounts;
  readonly #persistSize: number;
  readonly #reserved: number | undefined;
  readonly #log: Log;
  #spec: ProgramSpec | undefined;
  /** True once ganesha is known to have read the file as it is. */
  #inStep = false;
  /** True when it was told that the disk must have room first. */
  #waits = false;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    programs: Programs,
    subnet: Subnet,
    paths: NfsPaths,
    exportsFile: string,
    mounts: NfsMounts,
    persistSize: number,
    reserved: number | undefined,
    log: Log,
  ) {
    this.#programs = programs;
    this.#subnet = subnet;
    this.#paths = paths;
    this.#exportsFile = exportsFile;
    this.#mounts = mounts;
    this.#persistSize = persistSize;
    this.#reserved = reserved;
    this.#log = log;
  }

  /** Adopts or starts it. The exports are those of last time until `setExports`. */
  static async open(options: {
    subnet: Subnet;
    paths: NfsPaths;
    programs: Programs;
    /** Bytes of a /persist. */
    persistSize: number;
    /** Bytes of the disk that stay free; default: see `diskOf`. */
    reserved?: number | undefined;
    log: Log;
  }): Promise<NfsServer> {
    const { subnet, paths, programs, persistSize, reserved, log } = options;
    const folder = join(paths.services, 'nfs');
    const recoveryFolder = join(folder, 'recovery');
    const exportsFile = join(folder, 'exports');
    await requireVolumesApart(paths);
    await mkdir(recoveryFolder, { recursive: true });
    const mounts = await NfsMounts.open(join(folder, 'mounts'));
    const nfs = new NfsServer(programs, subnet, paths, exportsFile, mounts, persistSize, reserved, log);
    // Again from what they were: the volumes folder or the subnet may be another one now. Never what an older version exported.
    const exports = await nfs.#exports();
    await nfs.#write(exports.filter(({ folder }) => folder.startsWith(`${mounts.folder}/`)));
    const text = renderNfsConfig({ server: subnet.server, recoveryFolder, exportsFile });
    const configFile = await writeVersionedConfig(folder, 'ganesha', text);
    const spec: ProgramSpec = {
      name: PROGRAM,
      argv: mounts.serve(paths.volumes, [
        ...['ganesha.nfsd', '-F', '-f', configFile, '-p', join(folder, 'pid'), '-L', 'STDERR'],
      ]),
      // It would claim a name on the machine's bus, which only one NFS server can have, and which we do not need.
      // A list of file systems that somebody else found a moment ago may name another one for the same device.
      env: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent', BLKID_FILE: '/dev/null' },
      ready: () => answers({ host: subnet.server, port: NFS_PORT }, { timeout: ANSWER_LIMIT }),
    };
    // What it mounts by itself grows then, if the limit is larger by now.
    for (const image of await mounts.images()) await ensureDiskImage(image, persistSize);
    await programs.ensure(spec);
    nfs.#spec = spec;
    return nfs;
  }

  /**
   * Replaces all exports but the volumes'; resolves when nodes can mount them, and those left out are gone. A /persist that is
   * missing is made. Mounts that stay are not disturbed. Throws what kept one of them from being there; the others are.
   */
  setExports(exports: readonly PersistExport[], trees: readonly TreeExport[] = []): Promise<void> {
    const result = this.#turn.then(() => this.#replace(exports, trees));
    this.#turn = result.catch(() => {}); // the caller gets the error
    return result;
  }

  async #replace(persist: readonly PersistExport[], trees: readonly TreeExport[]): Promise<void> {
    const wanted = [
      ...persist.map(({ id, file, ip }): Wanted => {
        // A moved image is another mount, by another path.
        const hash = createHash('sha256').update(file).digest('hex').slice(0, 8);
        const mount = { name: `persist-${id}-${hash}`, image: file };
        return { mount, ip, paths: [`/persist/${id}`], kind: 'persist' };
      }),
      ...trees.map(({ tree, ip, paths }): Wanted => {
        return { mount: { name: `tree-${tree.name}`, tree }, ip, paths, kind: 'tree' };
      }),
    ];
    const mounts = [...new Map(wanted.map(({ mount }) => [mount.name, mount])).values()];
    const failures = await this.#make(mounts);
    const ready = wanted.filter(({ mount }) => !failures.has(mount.name));
    await this.#export(
      ready.flatMap(({ mount, ip, paths, kind }) =>
        paths.map((pseudo): Export => ({ pseudo, folder: this.#mounts.path(mount), ip, kind })),
      ),
    );
    await this.#inside((pid) => this.#mounts.keepOnly(mounts, pid));
    for (const failure of failures.values()) throw failure;
  }

  /** Makes and mounts what is not there, some at a time. Answers what went wrong, by name. */
  async #make(mounts: readonly Mount[]): Promise<Map<string, unknown>> {
    const failures = new Map<string, unknown>();
    await inParallel(mounts, PARALLEL, async (mount) => {
      await this.#makeOne(mount).catch((error) => failures.set(mount.name, error));
    });
    return failures;
  }

  async #makeOne(mount: Mount): Promise<void> {
    if ('image' in mount) await ensureDiskImage(mount.image, this.#persistSize);
    try {
      await this.#inside((pid) => this.#mounts.mount(mount, pid));
    } catch (error) {
      if (!('image' in mount) || !isExternalError(error) || error.status !== DAMAGED) throw error;
      throw new UserError(
        'UNAVAILABLE',
        `A node's /persist is damaged: ${mount.image}. It is not exported.`,
        `Mend it on the server, then the node gets it: e2fsck ${mount.image}`,
      );
    }
  }

  /** Calls `act` with ganesha's process number once it is ready: before, its mounts are not its own yet. */
  async #inside(act: (pid: number) => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      let pid: number | undefined;
      try {
        if (this.#spec) await this.#programs.ensure(this.#spec);
        pid = this.#programs.pid(PROGRAM);
        if (pid !== undefined) return await act(pid);
      } catch (error) {
        // It may just have died, and not for the first time; when it lives on, it was not that.
        if (attempt >= INSIDE_ATTEMPTS) throw error;
        await delay(INSIDE_PAUSE);
        // Of a process that has ended, the files of its namespaces are gone before we are told.
        if (pid !== undefined && (await stat(`/proc/${pid}/ns/mnt`).catch(() => undefined))) throw error;
      }
      await delay(INSIDE_PAUSE);
    }
  }

  /**
   * File systems that the kernel has made read-only, since it could not write to them, are mounted anew once the disk has room
   * again: nodes wait some seconds and go on. Idempotent; to be called from time to time.
   */
  mend(): Promise<void> {
    const result = this.#turn.then(() => this.#mend());
    this.#turn = result.catch(() => {}); // the caller gets the error
    return result;
  }

  async #mend(): Promise<void> {
    const pid = this.#programs.pid(PROGRAM);
    if (pid === undefined || !this.#spec) return;
    const stuck = await readOnlyMounts(pid, [this.#mounts.folder, this.#paths.volumes]);
    if (stuck.length === 0) return;
    const folders = stuck.join(' ');
    // What the server keeps for itself is not theirs: else they would take that, too.
    if ((await roomIn(this.#paths.state, this.#reserved)) <= 0) {
      if (!this.#waits)
        this.#log.warn('the disk is full: what nodes write to is read-only until it has room', { folders });
      this.#waits = true;
      return;
    }
    this.#waits = false;
    this.#log.warn('mounts file systems anew that became read-only', { folders });
    // All mounts but the volumes' go with it, and are checked when they are made again.
    await this.#programs.stop(PROGRAM);
    await remountVolumesDisk(this.#paths);
    await this.#programs.ensure(this.#spec);
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
