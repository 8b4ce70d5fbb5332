/** Settings of nodes: what is set, what may be set, and the calls for it. The table itself is the contract's. */
export { createSettingCalls } from './calls.ts';
export { createMachineCall, virtualHardware } from './creation.ts';
export { disksAtStake } from './machines.ts';
export { settingsOf } from './settings.ts';
