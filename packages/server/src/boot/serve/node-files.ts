import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { fittingsOf, loaders } from '../../models/index.ts';
import { createLog, joinInside, type Paths, rarely } from '../../platform/index.ts';
import {
  type Download,
  downloadOf,
  imageBootFolder,
  kernelName,
  openDownload,
  readBootRecord,
} from '../boot-files.ts';
import type { BootTarget, NodeDirectory } from '../directory.ts';
import type { InitArchives, Reads } from '../initramfs/index.ts';
import {
  archiveName,
  bootstrapDocument,
  diskArchiveName,
  identityTree,
  nodeArchive,
  volumesOf,
} from '../initramfs/index.ts';
import { DeviceTrees } from '../kernel/index.ts';
import { filesOfIdentity, type ServerAddress, templateValues } from '../lending/index.ts';
import { GRUB_HTTP } from '../scripts/index.ts';
import { renderTemplate, servedFolder } from '../walt-images/index.ts';
import { FileDigests } from './file-digests.ts';

const log = createLog('boot');
const warn = rarely(log.warn);
const complain = rarely(log.error);

/** `boot/files/HEX/NAME`. */
const BOOT_FILE = /^boot\/files\/([0-9a-f]{64})\/(?:(vmlinuz-[a-z0-9-]+)|device-trees\/(.+))$/s;

/** What boot scripts write in front of a path, to load by HTTP. */
const IMAGE_FOLDER = 'boot/';

interface Deps {
  directory: Pick<NodeDirectory, 'currentBoot' | 'reached'>;
  paths: Pick<Paths, 'bootFiles' | 'loaders' | 'volumes'>;
  archives: InitArchives;
  reads: Reads;
  address: ServerAddress;
}

/** What nodes load while they boot, by whatever protocol. */
export class NodeFiles {
  readonly #deps: Deps;
  readonly #digests = new FileDigests();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** What is the platform's own; every other path is a file of an image. Tests go through it, too. */
  static readonly made: ReadonlyMap<string, (files: NodeFiles, ip: string) => Promise<Download | undefined>> =
    new Map([
      ['node/initramfs', (files: NodeFiles, ip: string) => files.#initramfs(ip)],
      ['node/archive', (files: NodeFiles, ip: string) => files.#archive(ip)],
      ...loaders
        .filter(({ isMade }) => !isMade)
        .map(({ file }) => [file, (files: NodeFiles, ip: string) => files.#loader(file, ip)] as const),
      [GRUB_HTTP, (files: NodeFiles, ip: string) => files.#loader('http.mod', ip)],
    ]);

  /** A file for the node with that address, by its path without a leading slash. Undefined when there is none for it. */
  async open(ip: string, path: string): Promise<Download | undefined> {
    const make = NodeFiles.made.get(path);
    if (make) return make(this, ip);
    const [, hex, kernel, deviceTree] = BOOT_FILE.exec(path) ?? [];
    if (hex) {
      const digest = `sha256:${hex}`;
      if (kernel !== undefined) return this.kernel(ip, digest, kernel);
      const folder = imageBootFolder(this.#deps.paths, digest);
      const bytes = await (await DeviceTrees.open(folder)).read(deviceTree ?? '');
      return bytes && downloadOf(bytes);
    }
    return this.#imageFile(ip, path.startsWith(IMAGE_FOLDER) ? path.slice(IMAGE_FOLDER.length) : path);
  }

  /** A kernel of an image, by its file's name, for the node with that address. */
  async kernel(ip: string, digest: string, name: string): Promise<Download | undefined> {
    const path = join(imageBootFolder(this.#deps.paths, digest), name);
    return this.#noted(await openDownload(path), { ip, digest }, 'kernel', async () => ({
      kernel: await this.#digests.of(path),
    }));
  }

  /** The same; once it is loaded, the node has taken that step. What it then ran is told as soon as it is known: no boot waits for it. */
  #noted(
    file: Download | undefined,
    boot: { ip: string; digest: string },
    step: 'kernel' | 'initramfs' | 'root',
    ran: () => Promise<Parameters<NodeDirectory['reached']>[2]>,
  ): Download | undefined {
    file?.content.once('end', () => {
      const { directory } = this.#deps;
      directory.reached(boot, step);
      ran().then(
        (digests) => digests && directory.reached(boot, step, digests),
        (error) => complain('cannot tell what a node runs', { ...boot, error: String(error) }, boot.ip),
      );
    });
    return file;
  }

  /**
   * What an image that brings its own boot scripts has in `/boot/MODEL`, else in `/boot`. Absolute paths of its scripts begin there,
   * too, as they do where all is loaded by TFTP.
   */
  async #imageFile(ip: string, path: string): Promise<Download | undefined> {
    const { directory, paths, address } = this.#deps;
    const target = await directory.currentBoot(ip);
    const record = target && (await readBootRecord(paths, target.digest));
    if (!target || !record?.walt || path.includes('\0')) return undefined;
    const folder = servedFolder(imageBootFolder(paths, target.digest));
    // Whatever it says, it is a path below the folder.
    const name = posix.normalize(`/${path}`).slice(1);
    for (const served of [`${target.model}/${name}`, name]) {
      const template = record.walt.templates.find((one) => one.served.includes(served));
      if (template) {
        const values = templateValues(target.digest, target.size, address);
        return downloadOf(Buffer.from(renderTemplate(template.content, values)));
      }
      const file = await openDownload(joinInside(folder, served));
      if (file) return file;
    }
    return undefined;
  }

  async #loader(name: string, ip: string): Promise<Download | undefined> {
    const { loaders: folders } = this.#deps.paths;
    for (const folder of folders) {
      const file = await openDownload(join(folder, name));
      if (file) return file;
    }
    warn('a machine asks for a boot loader that is not here', { ip, name, folders: folders.join(' ') }, ip);
    return undefined;
  }

  /** For the node that asks: it names no image, so that it gets what its boot script was made for. */
  async #initramfs(ip: string): Promise<Download | undefined> {
    const { paths, directory, archives, reads } = this.#deps;
    const target = await directory.currentBoot(ip);
    const record = target && (await readBootRecord(paths, target.digest));
    if (!target || !record) return undefined;
    const { adapters } = fittingsOf(target);
    const folder = imageBootFolder(paths, target.digest);
    const modules = join(folder, archiveName(adapters));
    const { complete, ranges } = await reads.of(volumesOf(target, record));
    const document = bootstrapDocument(target, Date.now() / 1000, record, !complete);
    const [head, ...tail] = await Promise.all([
      archives.get(record.architecture),
      ...(target.disk === 'use' ? [readFile(join(folder, diskArchiveName(adapters)))] : []),
      nodeArchive(document, ranges, target.proofs, identityTree(target, filesOfIdentity(record))),
    ]);
    const file = await openDownload(modules, { head, tail: Buffer.concat(tail) });
    return this.#noted(file, { ip, digest: target.digest }, 'initramfs', () =>
      this.#initramfsOf(target, modules, head),
    );
  }

  async #initramfsOf({ platformVolume }: BootTarget, modules: string, head: Uint8Array) {
    return {
      initramfs: await this.#digests.of(modules, head),
      platform: await this.#digests.of(join(this.#deps.paths.volumes, platformVolume)),
    };
  }

  /** Digests of what a node would load now if it booted what it runs once more; undefined when that cannot be told. */
  async wouldLoad(ip: string): Promise<Record<'kernel' | 'initramfs' | 'platform', string> | undefined> {
    const { paths, directory, archives } = this.#deps;
    const target = await directory.currentBoot(ip);
    const record = target && (await readBootRecord(paths, target.digest));
    if (!target || !record || record.walt) return undefined;
    const folder = imageBootFolder(paths, target.digest);
    const { adapters } = fittingsOf(target);
    const head = await archives.get(record.architecture);
    return {
      kernel: await this.#digests.of(join(folder, kernelName(adapters))),
      ...(await this.#initramfsOf(target, join(folder, archiveName(adapters)), head)),
    };
  }

  /** What only this node must know, for one whose initramfs is not ours. */
  async #archive(ip: string): Promise<Download | undefined> {
    const target = await this.#deps.directory.currentBoot(ip);
    const record = target && (await readBootRecord(this.#deps.paths, target.digest));
    if (!target || !record) return undefined;
    const document = bootstrapDocument(target, Date.now() / 1000, record);
    const file = downloadOf(
      await nodeArchive(document, [], [], identityTree(target, filesOfIdentity(record))),
    );
    return this.#noted(file, { ip, digest: target.digest }, 'root', async () => undefined);
  }
}
