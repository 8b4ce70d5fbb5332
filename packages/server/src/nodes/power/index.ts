/** Power of nodes from outside: who has it (`kinds/`), and what they are asked to do. */
import { WAKE_ON_LAN } from '@walt/contract';
import type { PowerConfigs } from '../../platform/index.ts';
import { declaredKind, wakeOnLan } from './kinds/index.ts';
import type { Place } from './place.ts';
import { declared, type PowerSource } from './source.ts';

export { PowerErrands } from './errands.ts';
export { qemuPower } from './kinds/index.ts';
export { Power } from './power.ts';
export type { PowerActs, PowerSource } from './source.ts';

/** The sources of power that physical nodes can have, by what server.conf says. */
export function powerSources(configs: PowerConfigs, place: Place): PowerSource[] {
  return [
    declared(WAKE_ON_LAN, wakeOnLan(place)),
    ...Object.entries(configs).map(([name, config]) => declared(name, declaredKind(name, config, place))),
  ];
}
