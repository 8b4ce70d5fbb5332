/** Kernel modules that every node needs, whatever its hardware. */

/** What volumes need, in any machine. crc32c is asked for by name when libcrc32c loads, so no index tells of it. */
export const volumeModules: readonly string[] = [
  'crc32c_generic',
  'crc32c_intel',
  'loop',
  'erofs',
  'overlay',
];

/** What carries them. It takes longest by far: a second on an emulated CPU, while all others take 0.2 s. */
export const nfsModules: readonly string[] = ['nfsv4'];

/**
 * What proves each block of a volume that comes from another machine than the server; without the first of them, a kernel cannot. They
 * are loaded where they are wanted only (packages/node/initramfs/verity). Most kernels have SHA-256 built in.
 */
export const verityModules: readonly string[] = ['dm_verity', 'sha256_generic'];

/** What packs memory that is seldom used (Documentation/admin-guide/blockdev/zram.rst), and how. A node without boots as well. */
export const swapModules: readonly string[] = ['zram', 'lzo_rle'];

/** Without one of these a kernel cannot boot from volumes. */
export const neededForVolumes: readonly string[] = ['loop', 'erofs', 'overlay', 'nfsv4'];
