/** How QEMU plays a board (qemu(1)). Paths come as QEMU's options take them. */
export interface QemuBoard {
  emulator: string;
  machine: string;
  cpu: string;
  /** Where QEMU emulates it, if that is to be another one. */
  emulatedCpu?: string;
  /** Whether the server's own CPU may run it, where KVM works. QEMU's own emulator does otherwise. */
  kvm: boolean;
  /** Its network card. */
  card: string;
  /** Others, from which it never boots. */
  otherCard: string;
  /** The card that is named last is the one that software finds first. */
  findsLastFirst: boolean;
  /** Its disks. */
  disk: string;
  /** Options that give it other devices. */
  devices: readonly string[];
  /** Options that make it boot from the network. `file`: path of one of `files`; `id`: the node's number. */
  firmware(given: { file(name: string): string; id: number }): string[];
  /** What `firmware` needs that is in no package: files that all machines share, by name. */
  files: readonly SharedFile[];
  /** What must be installed on the server, and by which packages, beside what the server needs to start at all. */
  needs?: { files: readonly string[]; packages: string };
  /** What it can have at most. */
  limit?: { cpuCores: number; ramMiB: number };
}

export interface SharedFile {
  name: string;
  content(): Uint8Array;
  /** Bytes, if more than the content's. */
  size?: number;
}

/** Card and devices of a board whose devices are virtio's, on a bus. */
export function virtioDevices(
  bus: 'pci' | 'device',
): Pick<QemuBoard, 'card' | 'otherCard' | 'findsLastFirst' | 'disk' | 'devices'> {
  return {
    card: `virtio-net-${bus}`,
    // Without iPXE, which would ask there, too.
    otherCard: bus === 'pci' ? 'virtio-net-pci,romfile=' : 'virtio-net-device',
    // QEMU's `virt` fills its places for such devices from the highest address down (hw/arm/virt.c).
    findsLastFirst: bus === 'device',
    disk: `virtio-blk-${bus}`,
    devices: [
      // Entropy from the first moment on: without it, sshd may wait for minutes.
      ...['-object', 'rng-builtin,id=rng'],
      ...['-device', `virtio-rng-${bus},rng=rng`],
      // Memory that the guest has freed goes back to the server.
      ...['-device', `virtio-balloon-${bus},free-page-reporting=on`],
    ],
  };
}
