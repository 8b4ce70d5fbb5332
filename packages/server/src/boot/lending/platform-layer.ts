/** The layer between image and node identity: what the platform needs on every node, the same for all. */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileExists, makeErofs, type Paths, projectFile, publishFile } from '../../platform/index.ts';

/** Files as they appear on nodes. */
const LAYER = projectFile('packages/node/layer/');

/**
 * Makes the platform layer's volume in the volumes folder unless it is there, and answers its file name. The name
 * derives from its content: a server with other files makes another volume, and nodes that run keep theirs.
 * Throws ExternalError when it cannot be made.
 */
export async function ensurePlatformVolume(paths: Pick<Paths, 'volumes'>): Promise<string> {
  const name = `platform-${await contentHash(LAYER)}.erofs`;
  const volume = join(paths.volumes, name);
  if (await fileExists(volume)) return name;
  await mkdir(paths.volumes, { recursive: true });
  const tree = await mkdtemp(join(tmpdir(), 'walt-platform-layer-'));
  const temporary = `${volume}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await cp(LAYER, tree, { recursive: true });
    await setModes(tree);
    await makeErofs(tree, temporary, 'root');
    await publishFile(temporary, volume);
  } finally {
    await rm(tree, { recursive: true });
    await rm(temporary, { force: true });
  }
  return name;
}

/** A checkout's modes depend on who made it (umask, git): nodes must not. Programs are what lies in a `bin` folder. */
async function setModes(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await setModes(path);
    else await chmod(path, folder.endsWith('/bin') ? 0o755 : 0o644);
  }
}

/** 16 hexadecimal digits over the paths and contents of a folder. */
async function contentHash(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) {
    const content = await readFile(file);
    hash.update(`${file.slice(folder.length)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}
