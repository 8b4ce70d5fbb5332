import { join, posix } from 'node:path';
import { joinInside, type Paths } from '../platform/index.ts';
import { type Download, downloadOf, imageBootFolder, openDownload, readBootRecord } from './boot-files.ts';
import { bootstrapDocument, volumesOf } from './bootstrap.ts';
import type { NodeDirectory } from './directory.ts';
import { identityTree } from './identity.ts';
import { renderTemplate } from './image-spec.ts';
import type { InitArchives } from './init-archives.ts';
import { nodeArchive } from './initramfs.ts';
import type { Reads } from './reads.ts';
import { type ServerAddress, templateValues } from './trees.ts';
import { servedFolder } from './walt-image.ts';

/** `boot/files/HEX/NAME`. */
const BOOT_FILE = /^boot\/files\/([0-9a-f]{64})\/(vmlinuz)$/;

/** `boot/PATH`: what an image has in `/boot/MODEL`, for images that bring their own boot scripts. */
const IMAGE_FILE = /^boot\/(.+)$/;

interface Deps {
  directory: Pick<NodeDirectory, 'currentBoot'>;
  paths: Pick<Paths, 'bootFiles'>;
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

  /** A file for the node with that address, by its path without a leading slash. Undefined when there is none for it. */
  async open(ip: string, path: string): Promise<Download | undefined> {
    if (path === 'node/initramfs') return this.#initramfs(ip);
    if (path === 'node/archive') return this.#archive(ip);
    const [, hex, name = ''] = BOOT_FILE.exec(path) ?? [];
    if (hex) return openDownload(join(imageBootFolder(this.#deps.paths, `sha256:${hex}`), name));
    const [, served] = IMAGE_FILE.exec(path) ?? [];
    return served === undefined ? undefined : this.#imageFile(ip, posix.normalize(served));
  }

  async #imageFile(ip: string, name: string): Promise<Download | undefined> {
    const { directory, paths, address } = this.#deps;
    const target = await directory.currentBoot(ip);
    const record = target && (await readBootRecord(paths, target.digest));
    if (!target || !record?.walt || /^(?:\/|\.\.(?:\/|$))|\0/.test(name)) return undefined;
    const template = record.walt.templates.find(({ served }) => served.includes(`${target.model}/${name}`));
    if (template) {
      const values = templateValues(target.digest, target.size, address);
      return downloadOf(Buffer.from(renderTemplate(template.content, values)));
    }
    const folder = servedFolder(imageBootFolder(paths, target.digest), target.model);
    return openDownload(joinInside(folder, name));
  }

  /** For the node that asks: it names no image, so that it gets what its boot script was made for. */
  async #initramfs(ip: string): Promise<Download | undefined> {
    const { paths, directory, archives, reads } = this.#deps;
    const target = await directory.currentBoot(ip);
    const record = target && (await readBootRecord(paths, target.digest));
    if (!target || !record) return undefined;
    const modules = join(imageBootFolder(paths, target.digest), `modules-${target.modelClass}`);
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
