import type { BootFailure, Node } from '@walt/contract';
import type { UserError } from '../platform/index.ts';
import type { BootTrouble } from './plan/index.ts';

interface Known {
  boot: BootTrouble | undefined;
  /** What was wrong with its source of power the last time. */
  power: UserError | undefined;
  /** Whether somebody can cut its power and give it back. */
  canSwitch: boolean;
  /** Why the boot that counts could not go on. */
  failure: BootFailure | null;
}

/** What users are told of a node that does not become what it should be; null: nothing. */
export function troubleWords(
  { name, type }: { name: string; type: string },
  { boot, power, canSwitch, failure }: Known,
): Node['trouble'] {
  if (power) return { message: power.message, hint: power.hint, console: [] };
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
  if (failure === null) return null;
  const then = failure.final ? 'It was tried as often as boot.retries says.' : 'It tries again by itself.';
  return {
    message: `${name} could not boot: ${failure.reason}`,
    hint: `${then} ${look}; see walt node log ${name}`,
    console,
  };
}
