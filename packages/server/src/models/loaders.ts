/** What firmware that is no iPXE loads first from the network, and how DHCP tells who asks. */

/** Numbers of kinds of firmware in DHCP's option 93 (RFC 4578 section 2.1; IANA's "Processor Architecture Types"). */
type ClientArchitecture = number;

export interface Loader {
  /** Its tag in DHCP's rules. */
  name: string;
  file: string;
  /** Firmware that loads it by TFTP (PXE). */
  clientArchitectures?: readonly ClientArchitecture[];
  /** Firmware that loads it by HTTP (UEFI specification, section 24.7). */
  httpArchitectures?: readonly ClientArchitecture[];
  /** Beginnings of what it says in DHCP's option 60. */
  vendorClasses?: readonly string[];
  /** A script that is made when it is asked for; or a program, which is offered where its file is here. */
  isMade: boolean;
}

/** iPXE over the network driver of the BIOS. */
export const biosLoader: Loader = {
  name: 'bios',
  file: 'undionly.kpxe',
  clientArchitectures: [0],
  isMade: false,
};

/**
 * iPXE over the network driver of the firmware, which has just worked; iPXE's own may be older than the adapter (decision 0063).
 * Of a 64-bit PC: 7 and 9 mean the same, since the first firmware followed an RFC with two numbers in each other's place.
 */
export const efiLoader: Loader = {
  name: 'efi',
  file: 'snponly.efi',
  clientArchitectures: [7, 9],
  httpArchitectures: [16],
  isMade: false,
};

/** GRUB, which asks for its script by TFTP, however it was loaded. Debian has no iPXE for these CPUs. */
export const armEfiLoader: Loader = {
  name: 'efi-arm64',
  file: 'grubnetaa64.efi',
  clientArchitectures: [11],
  httpArchitectures: [19],
  isMade: false,
};

/** U-Boot runs a script, which is made when it asks. Boards that were set up for WalT call themselves walt.node.MODEL. */
export const uBootLoader: Loader = {
  name: 'uboot',
  file: 'boot.scr.uimg',
  vendorClasses: ['U-Boot', 'walt.node.'],
  isMade: true,
};
