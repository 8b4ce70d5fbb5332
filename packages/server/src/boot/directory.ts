import type { Architecture, BootMode, DiskState } from '@walt/contract';
import type { ProvenVolume } from './binaries/index.ts';

/** How an image's files reach the node: EROFS volumes of its layers, or its file tree; null: it cannot boot. */
export type BootPlan = 'volumes' | 'nfs-root' | null;

/** What makes a node this node, apart from its address. Made by access/. */
export interface NodeIdentity {
  /** OpenSSH private key, PEM text. */
  hostKey: string;
  /** One line, as in `ssh_host_ed25519_key-cert.pub`. */
  hostCertificate: string;
  /** One line: public key of the authority that signs users' keys. */
  userCa: string;
  /** Principal that a user's certificate must carry to log in as root here. */
  principal: string;
}

/** The system's journal; the kernel's messages, sent by the kernel. */
export type SystemLog = 'journal' | 'netconsole';

/** All that a node needs to boot, decided when it asks for its boot script. */
export interface BootTarget {
  nodeId: number;
  mac: string;
  ip: string;
  /** Length of the subnet's prefix in bits. */
  prefix: number;
  name: string;
  /** The server's address on walt-net. */
  server: string;
  /** Where it mounts its volumes: the server's address, or that of a host that has copies of them. */
  volumeServer: string;
  /** What proves them, where that is not the server. */
  proofs: readonly ProvenVolume[];
  /** Whether the server is its way to other networks. */
  nat: boolean;
  /** What of its system it logs by itself. */
  logs: readonly SystemLog[];
  /** `sha256:HEX` of the image. */
  digest: string;
  /** `sha256:HEX` of each layer, bottom first. */
  layers: readonly string[];
  /** Bytes of its layers, unpacked. */
  size: number;
  bootPlan: BootPlan;
  /** As users see it: `pc-x86-64`. */
  model: string;
  isVirtual: boolean;
  /** Whether it is known to have a disk to boot from; `skip`: this boot was tried with it, and did not come up. */
  disk: 'none' | 'use' | 'skip';
  generation: number;
  token: string;
  /** Id of the NFS export that it mounts as /persist: SERVER:/persist/ID. Null: it mounts none. */
  persist: number | null;
  /** Seconds that its loader waits before it loads the image. */
  delay: number;
  identity: NodeIdentity;
  /** File name in the volumes folder, from `ensurePlatformVolume`. */
  platformVolume: string;
}

/** What a node tells of how it booted, and of its disk. */
export interface DiskReport {
  mode: BootMode;
  /** Null: not looked for yet. */
  disk: DiskState | null;
}

/** What a machine says of itself when it asks for its boot script. */
export interface Sighting {
  ip: string;
  mac: string;
  model: string;
  architecture: Architecture;
}

/** A node as its firmware finds it. */
export interface Glance {
  name: string;
  mac: string;
  model: string;
  /** What it would be given now; null: nothing. */
  digest: string | null;
  /** The boot that was noted last is still under way: firmware asks for its files one by one. */
  isBooting: boolean;
}

/** What a node has of something, and what is left. Bytes. */
interface Room {
  total: number;
  free: number;
}

/** What a node says that it has left. */
export interface NodeRoom {
  memory: Room;
  swap: Room;
  /** Programs that its kernel killed for want of memory since it started. */
  killed: number;
  /** For what was changed on it, which lies in its memory. */
  changes?: Room | undefined;
}

/** What an agent tells with each of its questions. */
export interface PollReport {
  generation: number;
  booted: boolean;
  clock?: number | undefined;
  steps?: { up: number; network: number; root: number; init: number } | undefined;
  leaving?: boolean;
  /** Told once it has booted. */
  room?: NodeRoom | undefined;
  disk?: DiskReport;
}

/**
 * Whether a node may begin the boot that it was ordered by kexec, and which it is; `unwanted`: nobody wants it to, and nobody need be
 * told why.
 */
export type KexecLeave =
  | { node: Pick<BootTarget, 'name' | 'model' | 'digest'> }
  | { refusal: string }
  | 'unwanted';

/** The part of nodes/ that booting nodes talk to. */
export interface NodeDirectory {
  /** Registers a machine that is new; gives it a permanent address. Answers why it does not, if so. */
  seen(sighting: Sighting): Promise<string | undefined>;
  /**
   * For the boot script: resolves the image's name now, and notes which digest is served for which generation.
   * Undefined: nobody has that address, or its image cannot boot. `kexec`: its kernel asked, and not its firmware.
   */
  beginBoot(ip: string, way?: 'firmware' | 'kexec'): Promise<BootTarget | undefined>;
  /** Notes nothing. Undefined: the token is not that of the node with that address. */
  mayKexec(ip: string, token: unknown): Promise<KexecLeave | undefined>;
  /** Tells why a node that was to boot by kexec does not: its firmware boots it. */
  withoutKexec(ip: string, reason: string): Promise<void>;
  /** Notes nothing. Undefined: nobody has that address. */
  glance(ip: string): Promise<Glance | undefined>;
  /** Tells what a node's firmware or loader says that it is. */
  recognize(node: Pick<BootTarget, 'mac' | 'model'>, told: string): Promise<void>;
  /** Tells why a machine that asked gets nothing to boot, in words that go on from "it waits"; undefined: it gets something. */
  waits(mac: string, reason: string | undefined): Promise<void>;
  /** Tells of a boot file that somebody asked for, whatever he gets. */
  asked(ip: string, protocol: 'tftp' | 'http', path: string): void;
  /** Tells of a step that a node took in the boot of that image, and of the digests of what it loaded beside that. */
  reached(
    boot: { ip: string; digest: string },
    step: 'script' | 'kernel' | 'initramfs' | 'root',
    ran?: Partial<Record<'kernel' | 'initramfs' | 'platform', string>>,
  ): void;
  /** Tells why a node could not boot, in its own words; answers its name. Undefined: nobody has that address. */
  failed(ip: string, report: string): Promise<string | undefined>;
  /**
   * Takes a node's word that it was given other bytes of a volume than the server has, by the host that it mounts its volumes from: it
   * boots anew, from elsewhere.
   */
  disproved(ip: string, volume: string): Promise<void>;
  /** Tells which port of which switch a node says that it is plugged into. */
  pluggedInto(mac: string, place: { mac: string; port: string }): void;
  /** For what follows the script: what `beginBoot` noted, though the image's name may have moved since. */
  currentBoot(ip: string): Promise<BootTarget | undefined>;
  /**
   * `clock`: Unix time in seconds on the node. `steps`: seconds since its kernel started, now and when it took these steps. `leaving`:
   * it goes down. Answers when there is an order for the node, and within 50 s anyway. Undefined: the token is not
   * the node's.
   */
  poll(
    ip: string,
    token: string,
    report: PollReport,
    signal: AbortSignal,
  ): Promise<'reboot' | 'stay' | undefined>;
}
