/** The kinds of CPUs and of virtual nodes. */

/** CPU architectures by their Debian and OCI-like names, the ones WalT boots. */
export const ARCHITECTURES = ['amd64', 'arm64', 'armhf', 'i386'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** Models of virtual nodes: what they are to an image, whatever the server's CPU is. */
export const VIRTUAL_MODELS = ['pc-x86-64', 'qemu-arm64', 'qemu-armhf'] as const;
export type VirtualModel = (typeof VIRTUAL_MODELS)[number];
