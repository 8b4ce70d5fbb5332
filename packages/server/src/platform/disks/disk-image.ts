/** Writable file systems in sparse files: ext4. Alone knows mkfs.ext4, and with `mount-image.sh` e2fsck and loop devices. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { projectFile } from '../checkout.ts';
import { UserError } from '../errors.ts';
import { fileExists, namesIn, publishFile } from '../files.ts';
import type { Paths } from '../paths.ts';
import { attempt, run } from '../programs/index.ts';

/** MiB of its journal: the least that there is. All of it is taken from the disk at once, for each image. */
const JOURNAL = 4;

/** Bytes: a loop device has whole sectors. */
const BLOCK = 4096;

interface Settings {
  /** Bytes that the file system has; the file takes what is used of them. */
  size: number;
  /** Bytes per inode; default: 16384, as mkfs.ext4 has it. */
  perInode?: number;
  /** Folder whose content it gets; default: it is empty. */
  content?: string;
}

/** Makes a file system in the file `path`, whole or not at all. */
export async function makeDiskImage(path: string, settings: Settings): Promise<void> {
  const temporary = await draftDiskImage(path, settings);
  try {
    await publishFile(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Makes one that is missing, and makes the file of one that is there larger if it is smaller: the next mount grows into it. */
export async function ensureDiskImage(path: string, size: number): Promise<void> {
  if (await fileExists(path)) {
    if ((await stat(path)).size < size) await truncate(path, size);
    return;
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await makeDiskImage(path, { size });
}

/** The same under a temporary name beside `path` (`.HEX.tmp`), which it answers. Whoever takes it publishes or removes it. */
export async function draftDiskImage(
  path: string,
  { size, perInode = 16_384, content }: Settings,
): Promise<string> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, '', { flag: 'wx', mode: 0o600 });
    await truncate(temporary, Math.ceil(size / BLOCK) * BLOCK);
    // Blocks that nothing lies in stay holes: no table is written in advance.
    const sparse = ['-E', 'nodiscard,lazy_itable_init=1,root_owner=0:0'];
    const layout = ['-m', '0', '-i', String(perInode), '-J', `size=${JOURNAL}`];
    await run([
      'mkfs.ext4',
      '-q',
      '-F',
      ...sparse,
      ...layout,
      ...(content ? ['-d', content] : []),
      temporary,
    ]);
    // Here, all names are the user's.
    await run(['debugfs', '-w', '-R', 'rmdir lost+found', temporary]);
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Removes what was begun when the server was killed, beside an image's final name. Only before any is made. */
export async function removeDrafts({
  persist,
  volumesImage,
}: Pick<Paths, 'persist' | 'volumesImage'>): Promise<void> {
  const folders = [dirname(volumesImage), ...(await namesIn(persist)).map((owner) => join(persist, owner))];
  for (const folder of folders) {
    for (const name of await namesIn(folder)) {
      if (/\.img\.[0-9a-f]{12}\.tmp$/.test(name)) await rm(join(folder, name), { force: true });
    }
  }
}

/** Command that mounts an image; a folder where it is mounted stays as it is. */
export function mountImage(image: string, folder: string): string[] {
  return [projectFile('packages/server/src/platform/disks/mount-image.sh'), image, folder];
}

/** Throws UserError UNAVAILABLE, with the next step, when this machine cannot mount files. */
export async function requireLoopDevices(): Promise<void> {
  const { status } = await attempt(['losetup', '--find']);
  if (status === 0) return;
  throw new UserError(
    'UNAVAILABLE',
    'This machine has no loop devices, which the platform mounts the file systems of volumes and /persist with.',
    'Run "modprobe loop"; in a container, give it /dev/loop-control and the devices /dev/loop* (or --privileged).',
  );
}

/**
 * Mount points, in or at these folders, of writable file systems that the kernel has made read-only after an error, as a process
 * sees them (proc_pid_mountinfo(5)). Newer kernels tell it by an option of their own.
 */
export async function readOnlyMounts(pid: number | 'self', folders: readonly string[]): Promise<string[]> {
  const table = await readFile(`/proc/${pid}/mountinfo`, 'utf8');
  return table.split('\n').flatMap((line) => {
    const [mount = '', fileSystem = ''] = line.split(' - ');
    const [, , , , escaped = '', options = ''] = mount.split(' ');
    const point = escaped.replace(/\\([0-7]{3})/g, (_, digits) =>
      String.fromCharCode(Number.parseInt(digits, 8)),
    );
    const [type, , own = ''] = fileSystem.split(' ');
    const inside = folders.some((folder) => point === folder || point.startsWith(`${folder}/`));
    const failed = /(^|,)(ro|emergency_ro|shutdown)(,|$)/.test(own) && /^rw(,|$)/.test(options);
    return type === 'ext4' && inside && failed ? [point] : [];
  });
}

/** Loop devices of files in a folder, as `/dev/loop3`. */
export async function loopDevicesOf(folder: string): Promise<string[]> {
  const listed = await run(['losetup', '--list', '--noheadings', '--raw', '--output', 'NAME,BACK-FILE']);
  return listed.split('\n').flatMap((line) => {
    const [device = '', ...file] = line.split(' ');
    return file.join(' ').startsWith(`${folder}/`) ? [device] : [];
  });
}
