/** Settings of nodes: what is set, what may be set, and the calls for it. The table itself is the contract's. */
export { createSettingCalls } from './calls.ts';
export { checkExposed } from './checks.ts';
export { disksAtStake, requireMachine, requirePorts } from './machines.ts';
export { strangersOn } from './networks.ts';
export { readChanges, settingsOf } from './settings.ts';
