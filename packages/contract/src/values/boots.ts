/** How a boot goes, as users are told. */

/**
 * Steps in the order in which a boot takes them; each is noted when it is done. `restart`: the node was told to reboot, or its power
 * was cut and given back. `kexec`: its kernel asked for the next one, without its firmware. `dhcp`: it asked for an address. `asked`: for a boot script. `script`: it got one. `kernel`, `initramfs`:
 * these are loaded. `network`, `root`, `init`, as the node tells: its adapter works, its volumes are mounted, its init starts.
 */
export const BOOT_STEPS = [
  'restart',
  'kexec',
  'dhcp',
  'asked',
  'script',
  'kernel',
  'initramfs',
  'network',
  'root',
  'init',
  'booted',
] as const;
export type BootStep = (typeof BOOT_STEPS)[number];

/** Why a node boots. Those up to `release` are orders of a user. */
export const BOOT_CAUSES = [
  'create',
  'boot',
  'reboot',
  'hard-reboot',
  'acquire',
  'release',
  /** It came to the platform by itself. */
  'new',
  /** The server started its machine. */
  'start',
  /** It had not come up in its time, so its power was cut. */
  'timeout',
  /** Its last boot could not go on, so it began again. */
  'failure',
  /** What served its volumes was gone, or gave it wrong ones. */
  'volumes',
  /** It said that it goes down, and nobody had told it to. */
  'itself',
  /** Nobody ordered it here, and it said nothing: power lost, reset by hand, or crashed. */
  'unknown',
] as const;
export type BootCause = (typeof BOOT_CAUSES)[number];

/** Boots of a node that are remembered. */
export const BOOTS_KEPT = 20;
