import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Architecture, digestHex } from '@walt/contract';
import type * as z from 'zod';
import {
  attempt,
  ExternalError,
  type Paths,
  readIfPresent,
  run,
  type StreamedProgram,
  streamProgram,
} from '../../platform/index.ts';
import { platformOptions } from '../architectures.ts';
import type { HostCommand } from '../types.ts';
import { LimitNotes } from './limit-notes.ts';
import { MountedTrees } from './mounted-trees.ts';
import { configFile, limitFolder, writePodmanFiles } from './podman-files.ts';
import { describeStored, type PresentLayer, type StoredImage } from './stored-image.ts';
import { layerOwners, layerRecords, layerUsers, type StorageLayer, strayLayers } from './stray-layers.ts';

/** Seconds for podman to stop all containers, beyond what they may take themselves. */
const STOP_SLACK = 60;

/** The platform's own image store: the one place that calls podman's command line. */
export class Store {
  readonly #paths: Paths;
  readonly #globals: string[];
  readonly #env: Record<string, string>;
  readonly #host: HostCommand;
  readonly #trees: MountedTrees;

  private constructor(paths: Paths, host: HostCommand) {
    this.#paths = paths;
    this.#globals = [
      ...['--root', paths.containers, '--runroot', paths.containersRun],
      ...['--storage-driver', 'overlay'],
    ];
    this.#env = { CONTAINERS_CONF: configFile(paths), TMPDIR: temporaryFolder(paths) };
    this.#host = host;
    this.#trees = new MountedTrees(join(paths.containersRun, 'trees'), paths.containers);
  }

  /** containers.conf(5) of all programs that use the store. */
  get configFile(): string {
    return configFile(this.#paths);
  }

  /** Of the containers of the store. */
  get limitNotes(): LimitNotes {
    return new LimitNotes(limitFolder(this.#paths));
  }

  /** Folder of all layers, as containers/storage's driver for overlayfs keeps them. */
  get layerFolder(): string {
    return join(this.#paths.containers, 'overlay');
  }

  static async open(paths: Paths, host: HostCommand): Promise<Store> {
    await mkdir(paths.containers, { recursive: true, mode: 0o700 });
    await mkdir(paths.containersRun, { recursive: true, mode: 0o700 });
    await mkdir(paths.services, { recursive: true });
    // What a killed commit left there.
    await rm(temporaryFolder(paths), { recursive: true, force: true, maxRetries: 3 });
    await mkdir(temporaryFolder(paths), { recursive: true, mode: 0o700 });
    await writePodmanFiles(paths);
    return new Store(paths, host);
  }

  /** For who only reads, beside a server that may run: makes and cleans up nothing. */
  static beside(paths: Paths, host: HostCommand): Store {
    return new Store(paths, host);
  }

  /** A podman command line on this store, with what it needs. conmon(8) leaves a file "oom" where a container is started from. */
  podman(...args: string[]): { argv: string[]; env: Record<string, string>; cwd: string } {
    const argv = this.#host(['podman', ...this.#globals, ...args]);
    return { argv, env: this.#env, cwd: this.#paths.containersRun };
  }

  /** Makes an image of one layer from a tar of a root file system. Answers its digest. */
  async importTar(tar: string, architecture: Architecture, changes: readonly string[] = []): Promise<string> {
    const options = changes.flatMap((change) => ['--change', change]);
    const out = await this.#run('import', '--quiet', ...platformOptions(architecture), ...options, '--', tar);
    return lastDigest(out);
  }

  /**
   * Throws ExternalError when there is no such image, and UserError INVALID when its layers are not those that its configuration
   * names: no program of containers/image compares them. `called` is what its user calls it.
   */
  async inspect(digest: string, called = digest): Promise<StoredImage> {
    const layers = await this.layersOf(digest);
    if (layers.length === 0) throw new ExternalError(['inspect'], null, `the store has no image ${digest}`);
    const { configuration } = await this.origin(digest);
    return describeStored({ digest, called, layers, configuration });
  }

  /** Digests of all images of the store. */
  async images(): Promise<string[]> {
    const out = await this.#run('images', '--quiet', '--all', '--no-trunc');
    return [...new Set(out.split('\n').filter(Boolean))];
  }

  /** Manifest and configuration of an image, as they were stored: read from its files, as `layers` is. */
  async origin(digest: string): Promise<{ manifest: string; configuration: string }> {
    const folder = join(this.#paths.containers, 'overlay-images', imageId(digest));
    // Names that are more than letters and digits, containers/storage encodes.
    const configuration = `=${Buffer.from(digest).toString('base64')}`;
    return {
      manifest: await readFile(join(folder, 'manifest'), 'utf8'),
      configuration: await readFile(join(folder, configuration), 'utf8'),
    };
  }

  /** Files of the network namespaces that podman has noted for its containers. */
  async networkFiles(): Promise<string[]> {
    const ids = (await this.#run('ps', '--all', '--quiet', '--no-trunc')).split('\n').filter(Boolean);
    if (ids.length === 0) return [];
    const format = '{{.NetworkSettings.SandboxKey}}';
    return (await this.#run('container', 'inspect', '--format', format, '--', ...ids))
      .split('\n')
      .filter(Boolean);
  }

  /**
   * Removes an image; layers that others share stay. False when a container or somebody who reads its tree needs it. Without `--no-prune`, podman would also
   * remove the image that it was made from, since in podman's eyes none of ours has a name.
   */
  async removeImage(digest: string): Promise<boolean> {
    if (this.#trees.has(digest)) return false;
    const { argv, env } = this.podman('rmi', '--no-prune', imageId(digest));
    const { status, stderr } = await attempt(argv, { env, deathSignal: 'TERM' });
    // podman-rmi(1): 1 means that there is none, 2 that it is in use.
    if (status === 0 || status === 1) return true;
    if (status === 2) return false;
    throw new ExternalError(argv, status, stderr);
  }

  /** Calls `use` with the image's tree, mounted read-only while it runs. Throws ExternalError when there is no such image. */
  async withMounted<T>(digest: string, use: (root: string) => Promise<T>): Promise<T> {
    const layers = await this.layersOf(digest);
    if (layers.length === 0) throw new ExternalError(['mount'], null, `the store has no image ${digest}`);
    return this.#trees.with(
      digest,
      layers.map(({ folder }) => folder),
      use,
    );
  }

  /** Unmounts what a server that was killed left mounted. */
  async unmountAll(): Promise<void> {
    await this.#trees.clear();
  }

  /** Unmounts the trees of containers, for when none runs. */
  async unmountContainers(): Promise<void> {
    await this.#run('unmount', '--all', '--force');
  }

  /** Runs a program in all running containers with that label, for as long as it takes; whether it succeeds plays no part. */
  async execInLabelled(label: string, program: string): Promise<void> {
    const names = await this.#run('ps', '--filter', `label=${label}`, '--format', '{{.Names}}');
    for (const name of names.split('\n').filter(Boolean)) {
      const { argv, env } = this.podman('exec', name, program);
      await attempt(argv, { env, timeout: 10_000 });
    }
  }

  /** Ends the processes of all containers, which stay with what was changed in them. */
  async stopAll(seconds: number): Promise<void> {
    const { argv, env } = this.podman('stop', '--all', '--time', String(seconds));
    await run(argv, { env, deathSignal: 'TERM', timeout: (seconds + STOP_SLACK) * 1000 });
  }

  /** How other programs name an image of this store (containers-transports(5)). */
  reference(digest: string): string {
    const { containers, containersRun } = this.#paths;
    return `containers-storage:[overlay@${containers}+${containersRun}]@${imageId(digest)}`;
  }

  /** Calls `use` with a new folder on the store's disk, for layers on their way; it is gone afterwards. */
  async withTemporary<T>(use: (folder: string) => Promise<T>): Promise<T> {
    await using folder = await this.makeTemporary();
    return await use(folder.path);
  }

  /** As `withTemporary`, for what outlasts a call. */
  async makeTemporary(): Promise<{ path: string } & AsyncDisposable> {
    const path = await mkdtemp(join(temporaryFolder(this.#paths), 'way-'));
    return {
      path,
      [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
    };
  }

  /** The layers that an image really has, bottom first, with the diff IDs that containers/storage computed when they came. */
  async layersOf(digest: string): Promise<PresentLayer[]> {
    const images = layerOwners.parse(await this.#record('overlay-images', 'images.json'));
    const known = new Map((await this.#layerRecords()).map((layer) => [layer.id, layer]));
    const layers: PresentLayer[] = [];
    const top = images.find((image) => image.id === imageId(digest))?.layer ?? '';
    for (let layer = known.get(top); layer; layer = known.get(layer.parent ?? '')) {
      const { id, 'diff-digest': diffId = '', 'diff-size': size = null } = layer;
      layers.push({ diffId, size, folder: this.#folderOf(id) });
      // A layer has one place in a chain, unless the table is broken.
      known.delete(layer.id);
    }
    return layers.reverse();
  }

  /**
   * Layers that are there as a whole, by diff ID, also while an image arrives. Reads the file that containers/storage replaces
   * at each change, since asking podman would wait for the layer that is being unpacked.
   */
  async layers(): Promise<Map<string, PresentLayer>> {
    const whole = (await this.#layerRecords()).filter(({ flags }) => flags?.incomplete !== true);
    return new Map(
      whole.flatMap(({ id, 'diff-digest': diffId, 'diff-size': size = null }) =>
        diffId === undefined ? [] : [[diffId, { diffId, size, folder: this.#folderOf(id) }]],
      ),
    );
  }

  async #layerRecords(): Promise<StorageLayer[]> {
    return layerRecords.parse(await this.#record('overlay-layers', 'layers.json'));
  }

  /** A table of containers/storage, which replaces the whole file at each change. */
  async #record(...path: string[]): Promise<unknown> {
    return JSON.parse((await readIfPresent(join(this.#paths.containers, ...path))) ?? '[]');
  }

  #folderOf(layer: string): string {
    return join(this.layerFolder, layer, 'diff');
  }

  /**
   * Removes layers that belong to no image and no container, `age` seconds after they came: what a clone that was interrupted
   * and not repeated left. containers-storage refuses to remove what anything refers to.
   */
  async removeStrayLayers(age: number): Promise<void> {
    const list = async <T extends z.ZodType>(kind: string, schema: T): Promise<z.output<T>> =>
      // It prints `null` for an empty list.
      schema.parse(JSON.parse(await this.#storage(kind, '--json')) ?? []);
    const layers = await list('layers', layerRecords);
    const images = await list('images', layerUsers);
    const containers = await list('containers', layerUsers);
    const users = [...images, ...containers];
    const tops = users.flatMap((user) => [user.layer ?? '', ...(user['mapped-layers'] ?? [])]);
    for (const id of strayLayers(layers, tops, Date.now() / 1000 - age)) {
      await this.#storage('delete-layer', '--', id);
    }
  }

  /** A layer as the tar that it came as: its digest is the diff ID. Who reads slowly keeps others from changing the store. */
  layerTar({ folder }: PresentLayer): StreamedProgram {
    const words = ['diff', '--uncompressed', '--', basename(dirname(folder))];
    return streamProgram(this.#storageCommand(words), { env: this.#env, deathSignal: 'TERM' });
  }

  #storage(...words: string[]): Promise<string> {
    return run(this.#storageCommand(words), { env: this.#env, deathSignal: 'TERM' });
  }

  #storageCommand(words: readonly string[]): string[] {
    const { containers, containersRun } = this.#paths;
    const globals = ['--graph', containers, '--run', containersRun, '--storage-driver', 'overlay'];
    return this.#host(['containers-storage', ...globals, ...words]);
  }

  async #run(...args: string[]): Promise<string> {
    const { argv, env } = this.podman(...args);
    // Killed in its midst, containers/storage would have to repair itself.
    return run(argv, { env, deathSignal: 'TERM' });
  }
}

/** For layers on their way into the store: on the same disk, since /var/tmp and /tmp may be small. */
function temporaryFolder(paths: Paths): string {
  return join(paths.containers, 'tmp');
}

/** podman and buildah take an image ID without the algorithm's name. Throws RangeError for what is no digest. */
export function imageId(digest: string): string {
  return digestHex(digest);
}

function lastDigest(output: string): string {
  const hex = /([0-9a-f]{64})\s*$/.exec(output)?.[1];
  if (hex === undefined) throw new TypeError(`no image ID in ${JSON.stringify(output)}`);
  return `sha256:${hex}`;
}
