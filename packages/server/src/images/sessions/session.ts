import type { Duplex } from 'node:stream';
import type { Architecture, LostChange } from '@walt/contract';
import type { TerminalSize } from '../containers/index.ts';

export interface SessionRecord {
  /** 16 hexadecimal digits. */
  id: string;
  /** Who opened it. */
  user: string;
  /** `owner/name` of its image. */
  image: string;
  architecture: Architecture;
  /** True when its binaries run under CPU emulation. */
  emulated: boolean;
  /** True when the image's own init runs in it. */
  init: boolean;
  /** `running`: its shell runs, or will with the first attachment; `exited`: waits to be saved or discarded. */
  state: 'running' | 'exited';
  attached: boolean;
  /** Unix time in seconds. */
  opened: number;
}

export interface SessionChanges {
  added: number;
  modified: number;
  deleted: number;
  /** Some paths, each with `A`, `M` or `D` and a blank in front. */
  sample: string[];
  /** What will not be saved. */
  lost: LostChange[];
  /** What the user should know of the shell's end, in a sentence; null: nothing. */
  note: string | null;
  /** Why it cannot be saved as it is, in a sentence; null: it can. */
  refusal: string | null;
}

/** The shell's end of a terminal. Destroying `stream` detaches; the shell goes on. */
export interface Terminal {
  /** What the shell prints; what is written to it is typed. Ends when the shell ends. */
  stream: Duplex;
  resize(size: TerminalSize): Promise<void>;
  /**
   * Exit status of the shell; settles after `stream` has ended. Stays pending after a mere detach; throws UserError
   * UNAVAILABLE when the connection to the shell broke while it goes on.
   */
  exited: Promise<number>;
}
