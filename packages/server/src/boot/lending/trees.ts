/** File trees of images that nodes mount by NFS: the image's layers, and above them what the platform adds. */

import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestHex } from '@walt/contract';
import { fileExists, makeDiskImage, type Paths, projectFile, UserError } from '../../platform/index.ts';
import { readBusybox } from '../binaries/index.ts';
import { type BootRecord, imageBootFolder, readBootRecord } from '../boot-files.ts';
import { TOOLS } from '../lent-paths.ts';
import type { WaltImage } from '../walt-images/index.ts';
import { environmentFile, environmentOf, renderTemplate } from '../walt-images/index.ts';

/** The server's address and hardware address on walt-net. */
export interface ServerAddress {
  server: string;
  mac: string;
}

interface Deps {
  paths: Pick<Paths, 'bootFiles' | 'busybox'>;
  address: ServerAddress;
  /** Files with layers as trees are made of, in the same order. Throws UserError UNAVAILABLE when a layer is missing. */
  treeVolumes(diffIds: readonly string[]): Promise<string[]>;
}

/** Images of the platform's layer, among an image's boot files. */
export const TREE = /^tree-[0-9a-f]{16}\.img$/;

/** What a template may ask for. */
export function templateValues(
  digest: string,
  size: number,
  { server, mac }: ServerAddress,
): Record<string, string> {
  return { server_ip: server, server_mac: mac, ...environmentOf({ digest, size, server }) };
}

interface LayerFile {
  path: string;
  mode: number;
  content: string | Uint8Array;
}

export class Trees {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * What is to be overlaid for an image, top first. The platform's layer is written if it is not there: its templates tell the
   * server's address, which may be another one than when the image was made. It is the same for all nodes, which can read all of
   * it. Undefined: no image of that kind. Throws UserError UNAVAILABLE when a part is missing.
   */
  async of(image: {
    digest: string;
    layers: readonly string[];
    size: number;
  }): Promise<{ name: string; lower: string[] } | undefined> {
    const { digest, layers } = image;
    const { paths, address } = this.#deps;
    const record = await readBootRecord(paths, digest);
    if (!record) throw missing(digest, 'boot files');
    if (!record.walt) return undefined;
    const files = await platformFiles(
      record.walt,
      record,
      templateValues(digest, image.size, address),
      paths,
    );
    const { folders } = record.walt;
    const hash = createHash('sha256').update(JSON.stringify(folders));
    for (const { path, mode, content } of files)
      hash.update(`${path}\0${mode}\0${content.length}\0`).update(content);
    const key = hash.digest('hex').slice(0, 16);
    const layer = join(imageBootFolder(paths, digest), `tree-${key}.img`);
    if (!(await fileExists(layer))) await writeLayer(layer, record.walt, files);
    // Where a layer is there twice, the upper one says it all.
    const own = await this.#deps.treeVolumes([...new Set(layers.toReversed())]);
    return {
      name: `${digestHex(digest).slice(0, 16)}-${key}`,
      lower: [layer, ...own],
    };
  }
}

async function platformFiles(
  image: WaltImage,
  { architecture }: BootRecord,
  values: Record<string, string>,
  paths: Pick<Paths, 'busybox'>,
): Promise<LayerFile[]> {
  const internal = `${image.bin}/_walt_internal_`;
  const program = async (path: string, source: string): Promise<LayerFile> => ({
    ...{ path, mode: 0o755, content: await readFile(projectFile(`packages/node/${source}`)) },
  });
  const busybox = await readBusybox(architecture, paths);
  const environment = Object.entries(values).filter(([name]) => name.startsWith('walt_'));
  const own = [
    `${internal}/busybox`,
    `${TOOLS.slice(1)}/bin/busybox`,
    ...(image.busybox === undefined ? [] : [image.busybox]),
  ];
  return [
    ...image.templates.map(({ path, mode, content }) => ({
      ...{ path, mode, content: renderTemplate(content, values) },
    })),
    await program(`${image.bin}/walt-init`, 'walt/walt-init'),
    await program(`${internal}/walt-agent`, 'initramfs/walt-agent'),
    await program(`${internal}/walt-log-spool`, 'initramfs/walt-log-spool'),
    await program(`${internal}/walt-log-sender`, 'initramfs/walt-log-sender'),
    ...own.map((path) => ({ path, mode: 0o755, content: busybox })),
    {
      path: `${image.bin}/walt-env`,
      mode: 0o644,
      content: environmentFile(Object.fromEntries(environment)),
    },
    ...(await layerFiles('')),
  ];
}

/** Settings of the SSH server, as nodes with other boot plans have them. */
async function layerFiles(folder: string): Promise<LayerFile[]> {
  const root = projectFile('packages/node/layer');
  const files: LayerFile[] = [];
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...(await layerFiles(path)));
    else {
      const mode = folder.endsWith('/bin') ? 0o755 : 0o644;
      files.push({ path, mode, content: await readFile(join(root, path)) });
    }
  }
  return files;
}

/** Bytes of a layer's file system beyond twice what lies in it: tables, journal. */
const SPARE = 16 * 1024 ** 2;

/** Writes the layer as the folder `diff` of a file system. ext4: a tree's handles depend on what the topmost layer says of itself. */
async function writeLayer(path: string, image: WaltImage, files: readonly LayerFile[]): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const root = join(temporary, 'diff');
  try {
    await mkdir(join(root, image.bin, '_walt_internal_', 'ram'), { recursive: true, mode: 0o755 });
    for (const { path, mode } of image.folders) {
      await mkdir(join(root, path), { recursive: true });
      await chmod(join(root, path), mode);
    }
    for (const { path, mode, content } of files) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
      await chmod(join(root, path), mode & 0o777);
    }
    const bytes = files.reduce((sum, { content }) => sum + content.length, 0);
    await makeDiskImage(path, { size: 2 * bytes + SPARE, content: temporary });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function missing(digest: string, what: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `The ${what} of image ${digest} are missing on the server.`,
    'Remove the image and make it again.',
  );
}
