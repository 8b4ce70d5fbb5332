/** The kinds of CPUs, of virtual nodes, and of what takes the server's disk. */

/** CPU architectures by their Debian and OCI-like names, the ones WalT boots. */
export const ARCHITECTURES = ['amd64', 'arm64', 'armhf', 'i386'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** Models of virtual nodes: what they are to an image, whatever the server's CPU is. */
export const VIRTUAL_MODELS = ['pc-x86-64', 'qemu-arm64', 'qemu-armhf'] as const;
export type VirtualModel = (typeof VIRTUAL_MODELS)[number];

/** Kinds of what takes the server's disk, as users are told. Behind some of these words, the name of an image or a node follows. */
export const DISK_PARTS = {
  image: 'image',
  'hidden-images': 'images that you may not see',
  'older-versions': 'older versions of images',
  'shared-layers': 'what several images share',
  shells: 'changes in image shells',
  builds: 'caches of image builds',
  persist: '/persist of',
  disks: 'disks of',
  console: 'console of',
  'default-images': 'default images',
  'boot-files': 'boot files',
  logs: 'logs',
  database: 'database and its copies',
  toolchains: 'toolchains for other CPUs',
  caches: 'caches of default images',
  reserve: 'kept for when the disk is full',
  other: 'all else on this disk',
} as const;

export type DiskPartKind = keyof typeof DISK_PARTS;
