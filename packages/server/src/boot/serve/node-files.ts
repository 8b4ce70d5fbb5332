import { join, posix } from 'node:path';
import { fittingsOf, loaders } from '../../models/index.ts';
import { createLog, joinInside, type Paths, rarely } from '../../platform/index.ts';
import { type Download, downloadOf, imageBootFolder, openDownload, readBootRecord } from '../boot-files.ts';
import type { NodeDirectory } from '../directory.ts';
import type { InitArchives, Reads } from '../initramfs/index.ts';
import { archiveName, bootstrapDocument, identityTree, nodeArchive, volumesOf } from '../initramfs/index.ts';
import { DeviceTrees } from '../kernel/index.ts';
import { type ServerAddress, templateValues } from '../lending/index.ts';
import { GRUB_HTTP } from '../scripts/index.ts';
import { renderTemplate, servedFolder } from '../walt-images/index.ts';

const warn = rarely(createLog('boot').warn);

/** `boot/files/HEX/NAME`. */
const BOOT_FILE = /^boot\/files\/([0-9a-f]{64})\/(?:(vmlinuz-[a-z0-9-]+)|device-trees\/(.+))$/s;

/** What boot scripts write in front of a path, to load by HTTP. */
const IMAGE_FOLDER = 'boot/';

interface Deps {
  directory: Pick<NodeDirectory, 'currentBoot'>;
  paths: Pick<Paths, 'bootFiles' | 'loaders'>;
  archives: InitArchives;
  reads: Reads;
  address: ServerAddress;
}

/** What nodes load while they boot, by whatever protocol. */
export class NodeFiles {
  readonly #deps: Deps;

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
      const folder = imageBootFolder(this.#deps.paths, `sha256:${hex}`);
      if (kernel !== undefined) return openDownload(join(folder, kernel));
      const bytes = await (await DeviceTrees.open(folder)).read(deviceTree ?? '');
      return bytes && downloadOf(bytes);
    }
    return this.#imageFile(ip, path.startsWith(IMAGE_FOLDER) ? path.slice(IMAGE_FOLDER.length) : path);
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
    const modules = join(imageBootFolder(paths, target.digest), archiveName(fittingsOf(target).adapters));
    const { complete, ranges } = await reads.of(volumesOf(target, record));
    const document = bootstrapDocument(target, Date.now() / 1000, record, !complete);
    const [head, tail] = await Promise.all([
      archives.get(record.architecture),
      nodeArchive(document, ranges, identityTree(target, record.loan?.files)),
    ]);
    return openDownload(modules, { head, tail });
  }

  /** What only this node must know, for one whose initramfs is not ours. */
  async #archive(ip: string): Promise<Download | undefined> {
    const target = await this.#deps.directory.currentBoot(ip);
    const record = target && (await readBootRecord(this.#deps.paths, target.digest));
    if (!target || !record) return undefined;
    const document = bootstrapDocument(target, Date.now() / 1000, record);
    return downloadOf(await nodeArchive(document, [], identityTree(target, record.loan?.files)));
  }
}
