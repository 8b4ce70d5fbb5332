import type { DiskSpec } from '@walt/contract';
import type { Machine } from '../virtual/index.ts';

/** What the machine of a virtual node needs, and where it is. */
export interface Placed {
  machine: Machine;
  /** Address on walt-net: from no other may it send. */
  ip: string;
}

/** What a machine would have to be. */
export type MachineWish = Pick<Machine, 'model' | 'cpuCores' | 'ramMiB' | 'networks' | 'place'>;

/** Where a machine is. */
export interface PlaceSeen {
  /** Null: nowhere yet. */
  host: string | null;
  /** What keeps it from running, or may end it soon, and what to do. */
  trouble?: { message: string; hint: string };
}

/** A machine on which virtual nodes can run. */
export interface EngineHost {
  name: string;
  /** MiB. */
  memory: number;
}

/** A host that keeps copies of volumes. */
export interface VolumeHost {
  name: string;
  /** False: it is drained, or away. Nothing begins to use it. */
  inUse: boolean;
  isDrained: boolean;
}

/**
 * Who runs the machines of virtual nodes. It is told what should run, and asked what does; nobody else knows where. Once a machine is
 * started, it starts again whenever it ends, until it is stopped, and whatever becomes of the server.
 */
export interface Engine {
  hosts(): Promise<EngineHost[]>;

  /** Throws UserError INVALID when no machine can be so, or on no host where it may be, UNAVAILABLE when they lack what it needs. */
  require(wish: MachineWish): Promise<void>;
  /** Throws UserError unless so many disks can be made, and be so large. */
  requireRoom(disks: readonly DiskSpec[]): Promise<void>;
  /** Bytes that disks of a machine take; null: it is not made yet. */
  diskUse(id: number, disks: readonly DiskSpec[]): Promise<(number | null)[]>;

  /**
   * Starts the machine on its networks, or adopts the one that runs, whatever it is by now: the next start is as it should be.
   * Idempotent. Throws ExternalError, with words of whoever refused.
   */
  start(placed: Placed): Promise<void>;
  /** Power-cycles the machine, whatever state it is in: another one, as it should be. */
  reset(placed: Placed): Promise<void>;
  /** As if the plug was pulled; nothing starts it again. Does nothing when it is off. */
  stop(id: number): Promise<void>;
  /** Stops it, then deletes all that the machine had. Idempotent. */
  remove(id: number): Promise<void>;

  /**
   * All machines that are started, by an earlier server too, by node id: each with what tells this power cycle of it from the next. A
   * reboot from inside is one, too. `among`: only of these is asked.
   */
  running(among?: readonly number[]): Promise<ReadonlyMap<number, string>>;

  /** Where these machines are, by node id, as far as that is not the server itself. */
  places(nodes: readonly { id: number; name: string }[]): Promise<ReadonlyMap<number, PlaceSeen>>;

  /** Hosts that keep copies of volumes; undefined: not known yet. */
  volumeHosts(): readonly VolumeHost[] | undefined;

  /** Unix socket of the serial console: raw bytes both ways, one client at a time. */
  consolePath(id: number): string;
  /** File with all that the console printed lately. It may shrink to nothing at any time; the older part is then in `.1`. */
  consoleLog(id: number): string;
  /** Deletes what the console printed so far. */
  forgetConsole(id: number): Promise<void>;

  /** Looks away; the machines live on. */
  close(): void;
}
