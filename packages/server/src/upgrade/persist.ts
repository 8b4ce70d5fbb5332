/** Nodes' /persist, from folders to file systems of their own. */
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  draftDiskImage,
  fileExists,
  namesIn,
  type Paths,
  projectFile,
  publishFile,
  run,
  syncFolder,
  UserError,
} from '../platform/index.ts';
import { mebibytes, requireRoom } from './room.ts';

/** A folder whose copy is proven: it is deleted once the copy has its name. */
const MOVED = '.moved';
/** What a file system has beyond what is copied: tables, journal, the ends of files. */
const SPARE = 64 * 1024 ** 2;
const GROWTH = 1.3;
/** Bytes per inode, at most and at least (mke2fs(8)). */
const PER_INODE = { most: 16_384, least: 1024 };

const COPY = projectFile('packages/server/src/upgrade/copy-to-image.sh');

interface OldFolder {
  owner: string;
  node: string;
}

/** Those that are not moved yet, or not wholly. */
export async function oldPersistFolders({ persist }: Pick<Paths, 'persist'>): Promise<OldFolder[]> {
  const found = new Map<string, OldFolder>();
  for (const owner of await namesIn(persist)) {
    for (const entry of await readdir(join(persist, owner), { withFileTypes: true })) {
      const [, node] = /^(\d+)(?:\.moved)?$/.exec(entry.name) ?? [];
      if (node !== undefined && entry.isDirectory()) found.set(join(owner, node), { owner, node });
    }
  }
  return [...found.values()];
}

/**
 * The copy is made under a temporary name and proven. The folder then steps aside, which tells that it was; the copy takes its
 * final name, and the folder is deleted.
 */
export async function movePersist(
  { owner, node }: OldFolder,
  { paths, persistSize, say }: { paths: Paths; persistSize: number; say(text: string): void },
): Promise<void> {
  const folder = join(paths.persist, owner, node);
  const aside = `${folder}${MOVED}`;
  const image = `${folder}.img`;
  if (await fileExists(folder)) {
    if ((await fileExists(image)) || (await fileExists(aside))) throw twice(folder);
    const draft = await copied(folder, image, { owner, node, paths, persistSize, say });
    await rename(folder, aside);
    await publishFile(draft, image);
  } else if (!(await fileExists(image))) {
    // Killed just before the copy got its name: it is made once more.
    await rename(aside, folder);
    await syncFolder(join(paths.persist, owner));
    return movePersist({ owner, node }, { paths, persistSize, say });
  }
  await rm(aside, { recursive: true, force: true });
}

async function copied(
  folder: string,
  image: string,
  {
    owner,
    node,
    paths,
    persistSize,
    say,
  }: OldFolder & { paths: Paths; persistSize: number; say(text: string): void },
): Promise<string> {
  const { bytes, entries } = await contentOf(folder);
  const needed = Math.ceil(bytes * GROWTH + entries * PER_INODE.least) + SPARE;
  const size = Math.max(persistSize, needed);
  say(`  /persist of ${owner} on node ${node}: ${mebibytes(bytes)}`);
  if (size > persistSize) say(`    which is more than the limit of today: it gets ${mebibytes(size)}`);
  await requireRoom(
    paths.state,
    bytes + entries * PER_INODE.least + SPARE,
    `${owner}'s /persist of node ${node} (${folder})`,
  );
  const perInode = Math.min(PER_INODE.most, Math.max(PER_INODE.least, Math.floor(size / (entries * GROWTH))));
  const draft = await draftDiskImage(image, { size, perInode });
  try {
    await run([COPY, folder, draft]);
    return draft;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Bytes that it takes on the disk, and how many files and folders it has. */
async function contentOf(folder: string): Promise<{ bytes: number; entries: number }> {
  const [bytes, entries] = await Promise.all(
    [[], ['--inodes']].map(async (what) => {
      const listed = await run(['du', '--summarize', '--block-size=1', ...what, '--', folder]);
      return Number(listed.split('\t')[0]);
    }),
  );
  return { bytes: bytes ?? 0, entries: entries ?? 0 };
}

function twice(folder: string): UserError {
  return new UserError(
    'CONFLICT',
    `A /persist is there twice: as the folder ${folder}, and as ${folder}.img. An older version of WalT ran after a newer one.`,
    'Keep the one that you want: move the other one out of that folder. Then start the platform again.',
  );
}
