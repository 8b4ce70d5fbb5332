import type { BootFailure, DiskState, Node } from '@walt/contract';
import type { NodeRoom } from '../boot/index.ts';
import type { UserError } from '../platform/index.ts';
import type { BootTrouble } from './plan/index.ts';
import { lowOn } from './room.ts';

/** Seconds by which a node's clock may be off: certificates and builds begin to fail beyond it. */
const CLOCK_TOLERANCE = 300;

/** Characters of what a node says of a boot. */
const MAX_WORDS = 500;

interface Known {
  boot: BootTrouble | undefined;
  /** What was wrong with its source of power the last time. */
  power: UserError | undefined;
  /** What keeps its machine from running. */
  place?: { message: string; hint: string } | undefined;
  /** Whether somebody can cut its power and give it back. */
  canSwitch: boolean;
  /** The boot that counts began by kexec. */
  byKexec?: boolean;
  /** Why the boot that counts could not go on. */
  failure: BootFailure | null;
  /** What it told of its memory, if it runs. */
  room?: NodeRoom | undefined;
}

/** What users are told of a node that does not become what it should be, or will not stay it; null: nothing. */
export function troubleWords(
  { name, type }: { name: string; type: string },
  { boot, power, place, canSwitch, byKexec, failure, room }: Known,
): Node['trouble'] {
  if (power) return { message: power.message, hint: power.hint, console: [] };
  if (place) return { ...place, console: [] };
  if (boot === 'unknown') {
    return {
      message: `This server does not know all settings of ${name}: its machine is left as it is.`,
      hint: 'A newer server has stored them: install that version again.',
      console: [],
    };
  }
  if (boot === 'deaf') {
    return {
      message: `${name} does not answer, and nobody has its power.`,
      hint: 'Switch it off and on by hand: it boots then. Who could do that for you: walt help show power',
      console: [],
    };
  }
  const console = failure?.console ?? [];
  const look = type === 'virtual' ? `Watch it boot: walt node console ${name}` : 'Look at its screen';
  if (boot === 'stuck' && byKexec && !canSwitch) {
    return {
      message: `${name} has not come up by kexec, and nobody can cut its power.`,
      hint: `Switch it off and on by hand. If it happens again: walt node config ${name} kexec.allow=false`,
      console,
    };
  }
  if (boot === 'stuck') {
    const message = canSwitch
      ? `${name} has not come up, however often its power was cut and given back.`
      : `${name} has not come up in its time, and nobody can cut its power.`;
    return { message, hint: `${look}; then: walt help show troubleshooting`, console };
  }
  if (failure === null) return room ? roomWords(name, room) : null;
  const then = failure.final ? 'It was tried as often as boot.retries says.' : 'It tries again by itself.';
  return {
    message: `${name} could not boot: ${failure.reason}`,
    hint: `${then} ${look}; see walt node log ${name}`,
    console,
  };
}

function roomWords(name: string, room: NodeRoom): Node['trouble'] {
  const { memory, changes } = room;
  const low = lowOn(room);
  if (low === undefined) return null;
  const taken = changes && mebibytes(changes.total - changes.free);
  if (low === 'changes' && changes) {
    return {
      message: `What was changed on ${name} takes ${taken} of the ${mebibytes(changes.total)} MiB that may be changed.`,
      hint: `Remove files there, or move them to /persist. A reboot forgets them: walt node reboot ${name}`,
      console: [],
    };
  }
  const files = taken === undefined ? '' : ` Changed files take ${taken} MiB of it; /persist takes none.`;
  return {
    message: `${name} has ${mebibytes(memory.free)} of ${mebibytes(memory.total)} MiB of memory left: programs may be killed.`,
    hint: `End what needs much (free, top).${files}`,
    console: [],
  };
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 1024 ** 2);
}

/** What a node said of a boot, in a line. */
export function shortWords(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, MAX_WORDS);
}

/** What a node's kernel killed for want of memory since it booted; undefined: nothing. */
export function killedTrouble(count: number): string | undefined {
  if (count === 0) return undefined;
  return `It killed ${count === 1 ? 'a program' : `${count} programs`} for want of memory since it booted.`;
}

/** What is wrong with a node's disk for hybrid boots, of which it told `before` the last time; undefined: nothing. */
export function diskTrouble(disk: DiskState, before: DiskState | null): string | undefined {
  const words: Partial<Record<DiskState, string>> = {
    none: 'Its hybrid disk is gone, or has no file system with a folder walt_hybrid any more: it boots over the network.',
    full: 'Its hybrid disk is full: what does not fit comes over the network. Make room on it.',
    'read-only': 'Its hybrid disk cannot be written to: it boots over the network.',
    foreign:
      "Its hybrid disk is another platform's: it boots over the network. To use it here, delete walt_hybrid/platform on it.",
    unusable:
      'Its hybrid disk is not as it must be: in walt_hybrid, something is a link, or no folder where one belongs. Empty walt_hybrid.',
    damaged: 'Its hybrid disk does not give back what was written to it: replace it.',
    skipped:
      'It did not come up with its hybrid disk, and booted over the network then. Its next boot tries the disk again.',
  };
  return disk === 'none' && before === null ? undefined : words[disk];
}

/** What is wrong when a node says that it is another model than it is known as. */
export function modelTrouble(model: string, told: string): string {
  return `It says that it is a ${told}, and is known as a ${model}.`;
}

/** What is wrong with a node's clock, both in Unix seconds; undefined: nothing that matters. */
export function clockTrouble(clock: number, server: number): string | undefined {
  const off = clock - server;
  if (Math.abs(off) < CLOCK_TOLERANCE) return undefined;
  const date = new Date(clock * 1000).toISOString().slice(0, 10);
  return `Its clock is ${humanSpan(Math.abs(off))} ${off < 0 ? 'behind' : 'ahead of'} the server's: it says ${date}.`;
}

function humanSpan(seconds: number): string {
  const [count, unit] = [
    [365.25 * 86_400, 'year'],
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ]
    .map(([length, unit]): [number, string] => [Math.floor(seconds / Number(length)), String(unit)])
    .find(([count]) => count > 0) ?? [seconds, 'second'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
