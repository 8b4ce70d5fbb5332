/**
 * The file system that volumes lie on. All nodes may read all of it, since handles of the NFS server can be made up: so it holds
 * nothing else, and is not the one that the state folder lies on (decision 0047).
 */
import { mkdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../errors.ts';
import { fileExists } from '../files.ts';
import type { Paths } from '../paths.ts';
import { attempt, run } from '../programs/index.ts';
import {
  loopDevicesOf,
  makeDiskImage,
  mountImage,
  readOnlyMounts,
  requireLoopDevices,
} from './disk-image.ts';

type VolumesPaths = Pick<Paths, 'state' | 'volumes' | 'volumesImage'>;

/** Volumes are few and large, but for those of small layers. */
const BYTES_PER_INODE = 1024 ** 2;
/** ext4 of 4 KiB blocks ends there. */
const MAX_SIZE = 16 * 1024 ** 4;
/** Milliseconds in which loop devices are released after their last mount is gone. */
const RELEASE_LIMIT = 30_000;

/** True when the volumes folder is a file system of its own: ours, or one that the administrator has mounted there. */
export async function volumesAreApart({ state, volumes }: VolumesPaths): Promise<boolean> {
  if (!(await fileExists(volumes))) return false;
  const [inside, outside] = await Promise.all([stat(volumes), stat(state)]);
  return inside.dev !== outside.dev;
}

/**
 * Mounts the volumes' file system on the volumes folder; made if there is none, as large as the disk that it lies on. Idempotent.
 * Throws UserError UNAVAILABLE when this machine has no loop devices.
 */
export async function openVolumesDisk(paths: VolumesPaths): Promise<void> {
  await mkdir(paths.volumes, { recursive: true, mode: 0o700 });
  if (await volumesAreApart(paths)) return;
  await requireLoopDevices();
  if (!(await fileExists(paths.volumesImage))) {
    const { blocks, bsize } = await statfs(paths.state);
    const size = Math.min(blocks * bsize, MAX_SIZE);
    await makeDiskImage(paths.volumesImage, { size, perInode: BYTES_PER_INODE });
  }
  await run(mountImage(paths.volumesImage, paths.volumes));
}

/** Bytes that other files of the platform are left. */
const RESERVE = 16 * 1024 ** 2;

/**
 * Throws ENOSPC unless so many bytes more have room in the volumes folder. Its file system knows nothing of the disk that its own
 * file lies on: it only finds out when it writes, which is too late to tell who asked.
 */
export async function requireVolumeRoom(volumes: string, bytes: number): Promise<void> {
  const disks = (await fileExists(`${volumes}.img`)) ? [volumes, dirname(volumes)] : [volumes];
  for (const disk of disks) {
    const { bavail, bsize } = await statfs(disk);
    if (bavail * bsize >= bytes + RESERVE) continue;
    throw Object.assign(new Error(`ENOSPC: no space left on device, ${disk}`), { code: 'ENOSPC' });
  }
}

/** Throws UserError UNAVAILABLE unless the volumes are apart. */
export async function requireVolumesApart(paths: VolumesPaths): Promise<void> {
  if (await volumesAreApart(paths)) return;
  throw new UserError(
    'UNAVAILABLE',
    `${paths.volumes} lies on the same file system as ${paths.state}: nodes could read all of it.`,
    'Start the platform with: walt-server start. It mounts a file system there.',
  );
}

/** For an NFS server that has ended: mounts the volumes' file system again if it became read-only, mended. */
export async function remountVolumesDisk(paths: VolumesPaths): Promise<void> {
  if ((await readOnlyMounts('self', [paths.volumes])).length === 0) return;
  await run(['umount', '--lazy', '--', paths.volumes]);
  await openVolumesDisk(paths);
}

/**
 * Unmounts the volumes, unless the administrator has mounted them, and waits until nothing of the state folder is in use as a
 * disk any more. For a platform that is stopped.
 */
export async function closeDisks(paths: VolumesPaths): Promise<void> {
  const devices = () => loopDevicesOf(paths.state);
  const ours = (await devices()).length > 0;
  if (ours && (await volumesAreApart(paths))) {
    const { status } = await attempt(['umount', '--', paths.volumes]);
    // Somebody looks around in there: it goes when he leaves.
    if (status !== 0) await run(['umount', '--lazy', '--', paths.volumes]);
  }
  const limit = Date.now() + RELEASE_LIMIT;
  for (;;) {
    const left = await devices();
    if (left.length === 0 || Date.now() > limit) return;
    // Who was killed while he mounted has left one; all others go by themselves.
    for (const device of left) await attempt(['losetup', '--detach', device]);
    await delay(50);
  }
}
