import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Paths, projectFile } from '../../platform/index.ts';
import { rawOf } from '../../trees/index.ts';
import { readBootRecord } from '../boot-files.ts';
import { IDENTITY_PATHS } from '../initramfs/index.ts';
import { TOOLS } from '../lent-paths.ts';
import { filesOfIdentity } from './node-programs.ts';

/** What lies on a node beside its image. Absolute paths, as bytes. */
export interface PlatformPaths {
  /** Files and links. */
  files: ReadonlySet<string>;
  /** Folders of which all is the platform's. */
  folders: readonly string[];
}

/** Of a node that runs this image: identity layer, platform layer, and what the image is lent. */
export async function platformPaths(paths: Pick<Paths, 'bootFiles'>, digest: string): Promise<PlatformPaths> {
  const record = await readBootRecord(paths, digest);
  const beside = record ? filesOfIdentity(record) : [];
  const lent = beside.filter(({ type }) => type !== 'folder').map(({ path }) => path);
  const modules = record?.kernel ? [`/lib/modules/${record.kernel}`] : [];
  return {
    files: new Set([...IDENTITY_PATHS, ...lent, ...(await layerPaths())].map((path) => `/${rawOf(path)}`)),
    // Modules are lent where the image has its /lib.
    folders: [
      TOOLS,
      ...(record?.lends.includes('kernel') ? modules.flatMap((one) => [one, `/usr${one}`]) : []),
    ],
  };
}

async function layerPaths(): Promise<string[]> {
  const layer = projectFile('packages/node/layer/');
  const entries = await readdir(layer, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(layer.length));
}
