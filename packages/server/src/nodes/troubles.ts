import type { BootFailure, Node } from '@walt/contract';
import type { NodeRoom } from '../boot/index.ts';
import type { UserError } from '../platform/index.ts';
import type { BootTrouble } from './plan/index.ts';
import { lowOn } from './room.ts';

interface Known {
  boot: BootTrouble | undefined;
  /** What was wrong with its source of power the last time. */
  power: UserError | undefined;
  /** Whether somebody can cut its power and give it back. */
  canSwitch: boolean;
  /** Why the boot that counts could not go on. */
  failure: BootFailure | null;
  /** What it told of its memory, if it runs. */
  room?: NodeRoom | undefined;
}

/** What users are told of a node that does not become what it should be, or will not stay it; null: nothing. */
export function troubleWords(
  { name, type }: { name: string; type: string },
  { boot, power, canSwitch, failure, room }: Known,
): Node['trouble'] {
  if (power) return { message: power.message, hint: power.hint, console: [] };
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
