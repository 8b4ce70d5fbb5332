import type { Node } from '@walt/contract';
import type { UserError } from '../platform/index.ts';
import type { BootTrouble } from './plan/index.ts';

interface Known {
  boot: BootTrouble | undefined;
  /** What was wrong with its source of power the last time. */
  power: UserError | undefined;
  /** Whether somebody can cut its power and give it back. */
  canSwitch: boolean;
}

/** What users are told of a node that does not become what it should be; null: nothing. */
export function troubleWords(
  { name, type }: { name: string; type: string },
  { boot, power, canSwitch }: Known,
): Node['trouble'] {
  if (power) return { message: power.message, hint: power.hint };
  if (boot === undefined) return null;
  if (boot === 'deaf') {
    return {
      message: `${name} does not answer, and nobody has its power.`,
      hint: 'Switch it off and on by hand: it boots then. Who could do that for you: walt help show power',
    };
  }
  const message = canSwitch
    ? `${name} has not come up, however often its power was cut and given back.`
    : `${name} has not come up in its time, and nobody can cut its power.`;
  const look = type === 'virtual' ? `Watch it boot: walt node console ${name}` : 'Look at its screen';
  return { message, hint: `${look}; then: walt help show troubleshooting` };
}
