/** Volumes of what the platform lends to images, made from its default image of the same architecture. */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { fileExists, makeErofs, type Paths, publishFile, UserError } from '../../platform/index.ts';
import { copyFolder, type Tree } from '../../trees/index.ts';
import { dynamicNeeds, readBusybox } from '../binaries/index.ts';
import { MODULE_TREE_LIMIT, PROGRAM_LIMIT } from '../bounds.ts';
import type { Kernels } from '../kernel/index.ts';
import { TOOLS } from '../lent-paths.ts';

/** Mounted, read-only tree of the image that lends. */
export interface Lender {
  digest: string;
  tree: Tree;
  kernels: Kernels;
}

type LendPaths = Pick<Paths, 'volumes' | 'bootFiles' | 'busybox'>;

/** Programs that are lent with their loader and libraries. */
const PROGRAMS = ['/usr/sbin/sshd', '/usr/bin/setpriv', '/usr/bin/env'];

/** GNU names of the folders in which Debian keeps libraries. */
const TRIPLETS: Record<Architecture, string> = {
  amd64: 'x86_64-linux-gnu',
  i386: 'i386-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  armhf: 'arm-linux-gnueabihf',
};

/** Volumes of lent things, among others in their folder; and what a killed server left half-made of them. */
export const LENT_VOLUME = /^lent-[a-z]+-[0-9a-f]{16}\.erofs(?:\.[0-9a-f]+\.tmp)?$/;

/**
 * Makes the volume with the modules of the lent kernels, unless it is there; answers its file name. `folder` is where the image
 * has its `/lib`, as `usr/lib`. Throws UserError UNAVAILABLE when the lender lacks a part.
 */
export function ensureModules(lender: Lender, folder: string, paths: LendPaths): Promise<string> {
  const { newest, real } = lender.kernels;
  const kernels = [newest, ...(real ? [real] : [])];
  const releases = kernels.map(({ release }) => release);
  return ensureVolume('modules', [lender.digest, ...releases, folder], paths, async (tree) => {
    await mkdir(join(tree, folder, 'modules'), { recursive: true });
    for (const { release, modules } of kernels) {
      const source = await lender.tree.find(modules);
      if (source === undefined) throw missing(modules);
      const target = join(tree, folder, 'modules', release);
      await copyFolder(lender.tree, source.path, Buffer.from(target), MODULE_TREE_LIMIT);
      // Links to the folder that the kernel was built in.
      for (const name of ['build', 'source']) await rm(join(target, name), { recursive: true, force: true });
    }
  });
}

/**
 * Makes the volume with SSH server, busybox and what runs an image's command, unless it is there; answers its file name.
 * Throws UserError UNAVAILABLE when the lender lacks a part.
 */
export async function ensureTools(
  lender: Lender,
  architecture: Architecture,
  paths: LendPaths,
): Promise<string> {
  const busybox = await readBusybox(architecture, paths);
  const busyboxHash = createHash('sha256').update(busybox).digest('hex');
  return ensureVolume('tools', [lender.digest, busyboxHash, ...PROGRAMS], paths, async (tree) => {
    const folder = join(tree, TOOLS);
    await mkdir(join(folder, 'bin'), { recursive: true });
    await mkdir(join(folder, 'lib'));
    await writeFile(join(folder, 'bin/busybox'), busybox);
    await chmod(join(folder, 'bin/busybox'), 0o755);
    await symlink('busybox', join(folder, 'bin/init'));
    for await (const { path, content } of withLibraries(lender.tree, architecture, PROGRAMS)) {
      await writeFile(join(folder, path), content);
      await chmod(join(folder, path), 0o755);
    }
  });
}

/**
 * Programs of an image with all that they need to start, to be put below one folder: programs in `bin`, libraries in `lib`, their
 * loader as `lib/ld.so`. Throws UserError UNAVAILABLE when the image lacks a part.
 */
export async function* withLibraries(
  tree: Tree,
  architecture: Architecture,
  programs: readonly string[],
): AsyncGenerator<{ path: string; content: Buffer }> {
  const copied = new Set<string>();
  const pending = programs.map((path) => ({
    path,
    target: join('bin', path.slice(path.lastIndexOf('/') + 1)),
  }));
  for (;;) {
    const next = pending.pop();
    if (!next) return;
    if (copied.has(next.target)) continue;
    copied.add(next.target);
    const content = await tree.read(next.path, PROGRAM_LIMIT);
    if (content === undefined) throw missing(next.path);
    yield { path: next.target, content };
    const { interpreter, libraries } = dynamicNeeds(content);
    if (interpreter) pending.push({ path: interpreter, target: 'lib/ld.so' });
    for (const library of libraries) {
      const path = await findLibrary(tree, TRIPLETS[architecture], library);
      pending.push({ path, target: join('lib', library) });
    }
  }
}

async function findLibrary(tree: Tree, triplet: string, name: string): Promise<string> {
  for (const folder of [`/usr/lib/${triplet}`, `/lib/${triplet}`, '/usr/lib', '/lib', '/lib64']) {
    if ((await tree.findFile(`${folder}/${name}`)) !== undefined) return `${folder}/${name}`;
  }
  throw missing(name);
}

function missing(what: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `The platform's default image has no ${what}, which it would lend.`,
    'Make it anew: walt advanced update-default-images',
  );
}

/** The name derives from all that goes in: what is there needs no second look. */
async function ensureVolume(
  kind: string,
  key: readonly string[],
  paths: LendPaths,
  fill: (tree: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256').update(key.join('\0')).digest('hex').slice(0, 16);
  const name = `lent-${kind}-${hash}.erofs`;
  const volume = join(paths.volumes, name);
  if (await fileExists(volume)) return name;
  await mkdir(paths.volumes, { recursive: true });
  const mark = randomBytes(6).toString('hex');
  // On the disk of the state folder, where there is room; swept away at the next start if we are killed.
  const tree = join(paths.bootFiles, `${name}.${mark}.tmp`);
  const temporary = `${volume}.${mark}.tmp`;
  try {
    await mkdir(tree, { recursive: true });
    await fill(tree);
    await makeErofs(tree, temporary, 'root');
    await publishFile(temporary, volume);
  } finally {
    await rm(tree, { recursive: true, force: true });
    await rm(temporary, { force: true });
  }
  return name;
}
