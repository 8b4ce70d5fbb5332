import { randomBytes } from 'node:crypto';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { NamedImage } from '@walt/contract';
import type { ContainerLimits } from '../../platform/index.ts';
import { removeTree, type Tree, withTree } from '../../trees/index.ts';
import { serverArchitecture } from '../architectures.ts';
import type { Expected } from '../catalogue/index.ts';
import { printedIn } from '../containers/index.ts';
import type { JobClient } from '../jobs/index.ts';
import { type SaveParts, saveChange } from '../saves/index.ts';
import type { ImageRecord } from '../types.ts';
import { buildContainerName, buildSpec } from './container.ts';
import { SYSROOT, TOOLS } from './places.ts';
import { absoluteLinks, hasLibrary, makeFolders, removeEmpty } from './sysroot.ts';
import { targetOf } from './target.ts';
import { type Layout, LINKS, programs, settings } from './tools.ts';
import { compareSnapshots, packEntries, takeSnapshot } from './work-folder.ts';

export interface BuildDeps extends SaveParts {
  limits: ContainerLimits;
}

export interface CrossRequest {
  user: string;
  image: ImageRecord;
  command: readonly string[];
  /** Path of the user's folder, at which the command sees the copy of it. */
  folder: string;
  prefix: string;
  /** Name to save under, and what it points to until then; undefined: nothing is saved. */
  save: { target: NamedImage; expected: Expected } | undefined;
}

/** Who asked for the build; sends his folder as a tar. */
export type CrossClient = Pick<JobClient, 'input' | 'printed' | 'files' | 'tell' | 'signal'>;

/** What a build came to. */
export interface BuildEnd {
  /** The command's exit status. */
  status: number;
  /** Undefined: nothing was to be saved, or the command failed. */
  saved: { image: ImageRecord; changed: boolean } | undefined;
}

/** Paths in one message to the client. */
const BATCH = 500;

/**
 * Runs one build. When it ends, by itself, by failure or since the client has gone, nothing
 * is left of it but what it saved. Throws UserError CONFLICT when the result is kept under another name than was wanted.
 */
export async function runBuild(
  deps: BuildDeps,
  toolchain: string,
  request: CrossRequest,
  client: CrossClient,
): Promise<BuildEnd> {
  const { containers, paths } = deps;
  const { image, prefix, folder, command } = request;
  const id = randomBytes(8).toString('hex');
  const name = buildContainerName(id);
  const scratch = join(paths.builds, id);
  const [tools, work] = [join(scratch, 'tools'), join(scratch, 'work')];
  const still = await containers.createStill(image.digest);
  const kill = () => void containers.remove(name).catch(() => {});
  try {
    // Whatever the user's programs make in it, set-user-ID files and devices too: nobody but root can enter it from outside.
    await mkdir(paths.builds, { recursive: true, mode: 0o700 });
    await mkdir(scratch, { mode: 0o700 });
    await mkdir(work);
    const root = await containers.mount(still);
    const { made, layout } = await withTree(root, async (tree) => {
      const made = await makeFolders(tree, prefix);
      const layout = await layoutFor(tree, image, prefix);
      await writeTools(tools, tree, layout);
      return { made, layout };
    });
    const places = { toolchain, image: root, tools, work };
    await containers.create(buildSpec({ id, layout, command, folder, places, limits: deps.limits }));
    await containers.writeArchive(name, folder, client.input());
    const before = await takeSnapshot(work);

    const output = client.printed(printedIn(await containers.attach(name)));
    client.signal.addEventListener('abort', kill);
    if (client.signal.aborted) throw client.signal.reason;
    await containers.start(name);
    await output;
    const status = await containers.ended(name);
    if (client.signal.aborted) throw client.signal.reason;
    client.tell({ type: 'ended', status });

    const { changed, deleted } = compareSnapshots(before, await takeSnapshot(work));
    for (let start = 0; start < deleted.length; start += BATCH) {
      client.tell({ type: 'deleted', paths: deleted.slice(start, start + BATCH) });
    }
    if (changed.length > 0) await client.files(packEntries(work, changed));
    if (client.signal.aborted) throw client.signal.reason;
    if (status !== 0 || !request.save) return { status, saved: undefined };
    await containers.remove(name);
    await withTree(root, (tree) => removeEmpty(tree, made));
    await containers.unmount(still);
    return { status, saved: await save(deps, still, request, request.save, client) };
  } finally {
    client.signal.removeEventListener('abort', kill);
    await containers.remove(name);
    await containers.remove(still);
    await removeTree(scratch);
  }
}

async function layoutFor(tree: Tree, image: ImageRecord, prefix: string): Promise<Layout> {
  const [target, server] = [targetOf(image.architecture), targetOf(serverArchitecture())];
  return { target, server, prefix, ownLibrary: await hasLibrary(tree, target.multiarch) };
}

/** Fills the folder that the container has at /cross. */
async function writeTools(folder: string, tree: Tree, layout: Layout): Promise<void> {
  const put = async (files: Record<string, string>, mode: number) => {
    for (const [path, text] of Object.entries(files)) {
      const full = join(folder, path);
      await mkdir(dirname(full), { recursive: true });
      await writeFile(full, text);
      await chmod(full, mode);
    }
  };
  await put(programs(layout), 0o755);
  await put(settings(layout), 0o644);
  for (const [path, target] of await absoluteLinks(tree, layout.target.multiarch)) {
    const link = join(folder, LINKS.slice(TOOLS.length), path);
    await mkdir(dirname(link), { recursive: true });
    await symlink(`${SYSROOT}${target}`, link);
  }
}

async function save(
  deps: BuildDeps,
  container: string,
  { user, image, command }: CrossRequest,
  { target, expected }: { target: NamedImage; expected: Expected },
  client: CrossClient,
): Promise<NonNullable<BuildEnd['saved']>> {
  const { record: saved } = await saveChange(deps, {
    ...{ container, base: image.digest, target, expected },
    move: { user, action: 'cross', detail: command.join(' ').slice(0, 200), from: [image] },
    report: (step) => client.tell({ type: 'progress', step }),
  });
  return { image: saved ? { ...target, ...saved } : image, changed: saved !== undefined };
}
