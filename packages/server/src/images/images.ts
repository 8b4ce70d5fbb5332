import type { Readable } from 'node:stream';
import {
  type Architecture,
  type NamedImage,
  PLATFORM_OWNER,
  type Progress,
  shortDigest,
} from '@walt/contract';
import { type Caller, Guests } from '../access/index.ts';
import type { Config, Database, Finding, Log, Paths } from '../platform/index.ts';
import { hostNetwork, KeyedLock, RoomGuard } from '../platform/index.ts';
import type { Quotas } from '../space/index.ts';
import { defaultImageName, serverArchitecture } from './architectures.ts';
import { checkImages } from './archive/index.ts';
import { ImageBuilds } from './build/index.ts';
import type { BootingNodes, Expected, ImageTables } from './catalogue/index.ts';
import { Catalogue, ImageSharing, noSuchImage } from './catalogue/index.ts';
import { Containers } from './containers/index.ts';
import { CrossBuilds } from './cross/index.ts';
import { DefaultImages } from './default-images.ts';
import { explainDiskFull } from './disk-full.ts';
import { registerEmulator } from './emulation.ts';
import { endStrays } from './halt.ts';
import { GRACE_SECONDS, ImageHistory, squash } from './history/index.ts';
import { type FileKind, kindOfFile, readFiles, writeFiles } from './image-files.ts';
import { Committer, type Hold, treeVolumes, Volumes } from './layers/index.ts';
import { withReports } from './progress.ts';
import { sweepMaking } from './recipes/index.ts';
import { Registries, RegistryAccounts } from './registries/index.ts';
import { type Sending, SentChanges } from './sent/index.ts';
import { type CommandRun, ShellSessions, startCommand } from './sessions/index.ts';
import { emptyNetworks, PodmanApi, removeNetworks, Skopeo, Store } from './store/index.ts';
import type { DigestRecord, HostCommand, ImageRecord, PrepareBoot } from './types.ts';
import { diskParts } from './usage.ts';

export interface ImagesDeps {
  config: Config;
  paths: Paths;
  database: Database<ImageTables>;
  nodes: BootingNodes;
  prepareBoot: PrepareBoot;
  /** Whether an image was prepared by this server, or one that did it as this one does. */
  hasBootFiles(digest: string): Promise<boolean>;
  /** What is wrong with these, one by one. */
  bootFaults(digest: string): Promise<readonly { name: string; fault: string }[]>;
  log: Log;
  /** What users may have; default: as much as there is. */
  quotas?: Quotas;
  /** How programs reach the host's network; default: out of the platform's namespace. */
  host?: HostCommand;
  /** Logins and groups of this machine. */
  logins?: Pick<Guests, 'include'>;
}

/** Images by name. Does not ask who may: `user`, the one who calls, is for the history. */
export class Images {
  readonly history: ImageHistory;
  readonly sharing: ImageSharing;
  readonly shells: ShellSessions;
  readonly registries: Registries;
  readonly cross: CrossBuilds;
  readonly builds: ImageBuilds;
  readonly #deps: ImagesDeps;
  readonly #defaults: DefaultImages;
  readonly #catalogue: Catalogue;
  readonly #api: PodmanApi;
  readonly #containers: Containers;
  readonly #committer: Committer;
  readonly #store: Store;
  readonly #skopeo: Skopeo;
  readonly #room: RoomGuard;
  readonly #taking = new KeyedLock();
  #tidying: Promise<void> = Promise.resolve();

  private constructor(
    deps: ImagesDeps,
    host: HostCommand,
    parts: { store: Store; skopeo: Skopeo; accounts: RegistryAccounts },
  ) {
    const { store } = parts;
    const { config, paths, database, log, prepareBoot, hasBootFiles } = deps;
    this.#deps = deps;
    const { quotas } = deps;
    const spaceLimits = quotas && { quotas, retention: config.images };
    const catalogue = new Catalogue(database, deps.nodes, () => this.#tidy(), spaceLimits);
    this.sharing = new ImageSharing(database, deps.logins ?? new Guests());
    const api = new PodmanApi(paths, store);
    const containers = new Containers(api, store.limitNotes, paths.containers);
    const volumes = new Volumes(paths.volumes);
    const retention = config.images;
    const committer = new Committer({
      ...{ paths, store, volumes, catalogue, prepareBoot, hasBootFiles, retention, log },
    });
    const emulate = (architecture: Architecture) => registerEmulator(architecture, paths);
    const room = new RoomGuard(paths.state, config.limits.reservedSpace);
    this.#room = room;
    this.#defaults = new DefaultImages({ config, paths, host, catalogue, committer, room });
    this.#catalogue = catalogue;
    this.#api = api;
    this.#containers = containers;
    this.#committer = committer;
    this.#store = store;
    this.#skopeo = parts.skopeo;
    this.history = new ImageHistory({ database, catalogue, committer, store, retention });
    const limits = config.limits.container;
    this.shells = new ShellSessions({ ...this.#layerParts(), emulate, limits });
    this.registries = new Registries({
      ...{ ...parts, catalogue, committer, volumes, history: this.history, room },
    });
    this.cross = new CrossBuilds({ ...this.#layerParts(), config, host, emulate, limits });
    this.builds = new ImageBuilds({
      ...{ paths, host, store, skopeo: parts.skopeo, catalogue, committer, emulate, log },
      ...{ history: this.history, registries: this.registries, limits: config.limits, room },
    });
  }

  /** Opens the store, and cleans up what a killed server left half-way. */
  static async open(deps: ImagesDeps): Promise<Images> {
    const { config, paths } = deps;
    const host = deps.host ?? ((argv) => hostNetwork(config, argv));
    const store = await Store.open(paths, host);
    const skopeo = new Skopeo(host, store);
    const accounts = await RegistryAccounts.open(config.registries, paths, host);
    const images = new Images(deps, host, { store, skopeo, accounts });
    // Before podman runs again, and makes some.
    const networks = await emptyNetworks(paths);
    const tell = (line: string) => deps.log.warn(line);
    await store.unmountAll();
    await new Volumes(paths.volumes).removeParts();
    await sweepMaking(config.cache);
    await images.shells.recover();
    await images.cross.recover();
    await images.builds.recover();
    await endStrays(paths, tell);
    images.#tidy(async () => {
      await removeNetworks(store, networks, tell);
      await images.#committer.mend();
      await images.#committer.measureAll();
    });
    return images;
  }

  /** Sorted by owner and name. */
  list(owner?: string): Promise<ImageRecord[]> {
    return this.#catalogue.list(owner);
  }

  /** Throws UserError NOT_FOUND, with near names in the hint. */
  get(owner: string, name: string): Promise<ImageRecord> {
    return this.#catalogue.get({ owner, name });
  }

  /** As `get`, for a caller: what he may not see is not there for him. */
  async getSeen(caller: Caller, image: NamedImage): Promise<ImageRecord> {
    const record = await this.#catalogue.find(image);
    if (record && (await this.sharing.isSeen(caller, image))) return record;
    throw noSuchImage(image, await this.sharing.seen(caller, await this.list()));
  }

  find(owner: string, name: string): Promise<ImageRecord | undefined> {
    return this.#catalogue.find({ owner, name });
  }

  /** An image, whatever it is called. */
  byDigest(digest: string): Promise<DigestRecord | undefined> {
    return this.#catalogue.digest(digest);
  }

  /** What images of users take on disk, and who has some. */
  get space() {
    const { database, config } = this.#deps;
    return {
      usesOf: async (user: string) => ({ images: await this.#catalogue.spaceOf(user) }),
      users: () => this.#catalogue.owners(),
      diskParts: () => diskParts({ ...this.#layerParts(), database, retention: config.images }),
    };
  }

  /** Throws UserError FORBIDDEN when nothing is left of what the owner's images may take. */
  requireSpace(owner: string): Promise<void> {
    return this.#catalogue.requireSpace(owner);
  }

  /** Images whose nodes mount their tree. */
  treeImages(): Promise<DigestRecord[]> {
    return this.#catalogue.treeImages();
  }

  /**
   * Points `target` to the same digest, which may be that of an older version. Throws UserError CONFLICT when that name exists
   * and `replace` is false, NOT_FOUND when the version was given up meanwhile.
   */
  async duplicate(
    user: string,
    image: ImageRecord,
    target: NamedImage,
    replace: boolean,
  ): Promise<ImageRecord> {
    const detail = `${image.owner}/${image.name}@${shortDigest(image.digest)}`;
    const expected = replace ? 'any' : 'absent';
    await this.history.whileKept([image], () =>
      this.#catalogue.point(target, image, expected, { user, action: 'duplicate', detail, from: [image] }),
    );
    return this.#catalogue.get(target);
  }

  /** Nodes and sessions follow. Throws UserError CONFLICT when the new name exists. */
  async rename(user: string, image: ImageRecord, newName: string): Promise<ImageRecord> {
    await this.#catalogue.rename(image, newName, user);
    return this.get(image.owner, newName);
  }

  /** Drops the name; what it pointed to goes with `collect`. Throws UserError CONFLICT while it is in use. */
  async remove(user: string, image: ImageRecord): Promise<void> {
    await this.#catalogue.remove(image, user);
  }

  /**
   * The platform's default image of an architecture (the server's own, if undefined), made from Debian packages if it is
   * missing or `renew`. `made` is false when it was there. Throws ExternalError when packages cannot be had.
   */
  makeDefault(
    user: string,
    architecture: Architecture = serverArchitecture(),
    renew: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<Progress, { image: ImageRecord; made: boolean }> {
    return withReports((report) => this.#defaults.make(user, architecture, { renew, signal, report }));
  }

  /**
   * Makes an image of a root file system's tar; `changes` are lines like `ENTRYPOINT […]`, as podman-import(1) takes them.
   * Throws UserError CONFLICT when `target` exists and `replace` is false.
   */
  importTar(
    user: string,
    source: { tar: string; architecture: Architecture; changes?: readonly string[] },
    target: NamedImage,
    replace: boolean,
  ): AsyncGenerator<Progress, ImageRecord> {
    const expected = replace ? 'any' : 'absent';
    return withReports(async (report) => {
      await this.#catalogue.check(target, expected);
      await this.#room.require();
      const record = await this.#committer.importTar({
        ...{ changes: [], ...source, report },
        point: (made) => this.#catalogue.point(target, made, expected, { user, action: 'import' }),
      });
      return { ...target, ...record };
    });
  }

  /** Tar of `path` in the image. Throws UserError NOT_FOUND. */
  readFiles(image: ImageRecord, path: string): Promise<Readable> {
    return readFiles(this.#layerParts(), image, path);
  }

  /** What is at `path` in the image, links followed; undefined: nothing. */
  kindOfFile(image: ImageRecord, path: string): Promise<FileKind | undefined> {
    return kindOfFile(this.#layerParts(), image, path);
  }

  /** Unpacks a tar at `path` and saves that as a new layer. Nothing changes when the tar breaks off. */
  writeFiles(user: string, image: ImageRecord, path: string, tar: Readable): Promise<ImageRecord> {
    return this.#whileRoom(async (signal) => {
      signal.addEventListener('abort', () => tar.destroy(signal.reason), { once: true });
      return await writeFiles(this.#layerParts(), user, image, path, tar);
    });
  }

  /**
   * Makes an image of one layer with the same files and configuration, and points `target` there; `changed` is false when it had
   * one layer already. Throws UserError CONFLICT unless `target` points to what is expected until then.
   */
  squash(
    user: string,
    image: ImageRecord,
    target: NamedImage,
    expected: Expected,
    signal: AbortSignal,
  ): AsyncGenerator<Progress, { image: ImageRecord; changed: boolean }> {
    return withReports((report) =>
      this.#whileRoom(
        (until) => squash(this.#layerParts(), { user, image, target, expected, report, signal: until }),
        signal,
      ),
    );
  }

  /** Starts a command in the image. Throws UserError UNAVAILABLE when the server cannot run its binaries. */
  run(user: string, image: ImageRecord, command: readonly string[]): Promise<CommandRun> {
    const emulate = (architecture: Architecture) => registerEmulator(architecture, this.#deps.paths);
    return startCommand(
      { ...this.#layerParts(), emulate, limits: this.#deps.config.limits.container },
      user,
      image,
      command,
    );
  }

  /** What was changed where an image runs, which that machine sends. Throws as `SentChanges.receive`. */
  receiveChanges({
    user,
    onWait,
    ...sending
  }: Omit<Sending, 'limit'> & { user: string; onWait: () => void }): Promise<SentChanges> {
    const limit = this.#deps.config.limits.nodeChanges;
    const parts = this.#layerParts();
    // One at a time of each user: all names are in memory meanwhile.
    return this.#taking.hold(user, () => SentChanges.receive(parts, { ...sending, limit }), onWait);
  }

  /** Calls `use` with the mounted tree of the platform's default image of an architecture; undefined when there is none. */
  async withDefault<T>(
    architecture: Architecture,
    use: (root: string) => Promise<T>,
  ): Promise<T | undefined> {
    const image = await this.find(PLATFORM_OWNER, defaultImageName(architecture));
    return image && this.#store.withMounted(image.digest, use);
  }

  /** Files with these layers, as trees that nodes mount are made of. Throws UserError UNAVAILABLE when one is missing. */
  treeVolumes(diffIds: readonly string[]): Promise<string[]> {
    return treeVolumes(diffIds, { store: this.#store, volumes: new Volumes(this.#deps.paths.volumes) });
  }

  /**
   * Removes images that nobody needs: no name, no session, no running node, nobody in `keep`, no history that the settings keep,
   * and no name in the last `grace` seconds. Runs by itself at the start and after each change.
   */
  async collect(keep: ReadonlySet<string> = new Set(), grace = GRACE_SECONDS): Promise<void> {
    await this.#committer.collect(keep, { grace });
  }

  /** What does not fit together of all that images are; see `checkImages`. */
  check(repair: boolean): AsyncGenerator<Finding> {
    const { paths, hasBootFiles, bootFaults } = this.#deps;
    const parts = {
      catalogue: this.#catalogue,
      store: this.#store,
      committer: this.#committer,
      hasBootFiles,
      bootFaults,
    };
    return checkImages({ ...parts, volumes: new Volumes(paths.volumes) }, repair);
  }

  /** Keeps all images, those of `act`'s time and older ones that the history has, until it is released. */
  holdAll<T>(act: () => Promise<T>): Promise<{ result: T; hold: Hold }> {
    return this.#committer.holdAll(act);
  }

  /** Lets go of podman. Shell sessions go on; who is attached to one loses the connection. */
  async close(): Promise<void> {
    await this.cross.close();
    await this.builds.close();
    await this.#tidying;
    this.#room.close();
    await this.#api.close();
  }

  /** Collects in the background if there is something to collect; at the start anyway, `then` the rest. Nobody waits for it. */
  #tidy(then?: () => Promise<void>): void {
    this.#tidying = this.#tidying
      .then(async () => {
        if (then || (await this.history.needless()).removed.length > 0) await this.collect();
        await then?.();
      })
      .catch((error: unknown) =>
        this.#deps.log.warn('cannot remove unneeded images', { reason: String(error) }),
      );
  }

  #layerParts() {
    return {
      ...{ catalogue: this.#catalogue, containers: this.#containers, committer: this.#committer },
      ...{ paths: this.#deps.paths, store: this.#store, skopeo: this.#skopeo, history: this.history },
      room: this.#room,
    };
  }

  /** Runs what changes an image that is there, while the disk has room. */
  #whileRoom<T>(act: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const safe = 'The image is as it was.';
    return this.#room.guard(
      safe,
      (until) => explainDiskFull(this.#deps.paths.state, safe, () => act(until)),
      signal,
    );
  }
}
