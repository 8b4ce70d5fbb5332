/** File systems in files, and what is mounted. Owns mkfs.erofs, mkfs.ext4, mkfs.vfat, loop devices, mount. */
export {
  draftDiskImage,
  ensureDiskImage,
  loopDevicesOf,
  makeDiskImage,
  mountImage,
  readOnlyMounts,
  removeDrafts,
} from './disk-image.ts';
export { isSoundErofs, makeErofs } from './erofs.ts';
export { blocksOf, HashTree, sizeWithTree } from './hash-tree.ts';
export { unmountIn } from './mounts.ts';
export { type DiskContent, makeDisk } from './partitioned-disk.ts';
export { ReserveFile } from './reserve-file.ts';
export { type Disk, DiskFull, diskOf, diskUse, roomIn } from './room.ts';
export { RoomGuard } from './room-guard.ts';
export {
  closeDisks,
  openVolumesDisk,
  remountVolumesDisk,
  requireVolumeRoom,
  requireVolumesApart,
  volumesAreApart,
} from './volumes-disk.ts';
