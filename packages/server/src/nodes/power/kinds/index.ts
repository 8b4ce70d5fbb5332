/** Kinds of sources of power, a file for each: what can be asked of it, and how. */
import type { PowerConfig, PowerConfigOf } from '../../../platform/index.ts';
import type { Place } from '../place.ts';
import type { PowerKind } from '../source.ts';
import { command } from './command.ts';
import { ipmi } from './ipmi.ts';
import { redfish } from './redfish.ts';

export { qemuPower } from './qemu.ts';
export { wakeOnLan } from './wake-on-lan.ts';

type Make<Kind extends PowerConfig['kind']> = (
  name: string,
  config: PowerConfigOf<Kind>,
  place: Place,
) => PowerKind;

/** One that server.conf can declare, and nobody has written, does not compile. */
const makers: { [Kind in PowerConfig['kind']]: Make<Kind> } = { ipmi, redfish, command };

/** What server.conf declares. */
export function declaredKind<Kind extends PowerConfig['kind']>(
  name: string,
  config: PowerConfigOf<Kind> & { kind: Kind },
  place: Place,
): PowerKind {
  return makers[config.kind](name, config, place);
}
