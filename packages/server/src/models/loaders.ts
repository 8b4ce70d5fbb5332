/** What firmware that is no iPXE loads first from the network, by TFTP, and how DHCP tells who asks. */

export interface Loader {
  /** Its tag in DHCP's rules. */
  name: string;
  file: string;
  /** Numbers of its firmware in DHCP's option 93 (RFC 4578 section 2.1, and its erratum). */
  clientArchitectures?: readonly number[];
  /** Beginnings of what it says in DHCP's option 60. */
  vendorClasses?: readonly string[];
  /** A script that is made when it is asked for; or iPXE, so that all machines then go the same way, where its file is here. */
  isMade: boolean;
}

export const biosLoader: Loader = {
  name: 'bios',
  file: 'undionly.kpxe',
  clientArchitectures: [0],
  isMade: false,
};

/** Of a 64-bit PC: 7 and 9 mean the same. */
export const efiLoader: Loader = {
  name: 'efi',
  file: 'ipxe.efi',
  clientArchitectures: [7, 9],
  isMade: false,
};

/** U-Boot runs a script, which is made when it asks. Boards that were set up for WalT call themselves walt.node.MODEL. */
export const uBootLoader: Loader = {
  name: 'uboot',
  file: 'boot.scr.uimg',
  vendorClasses: ['U-Boot', 'walt.node.'],
  isMade: true,
};
