/** Whatever asks for an address on walt-net: what is known of it, and how it becomes a node. */
export { createDeviceCalls } from './calls.ts';
export { Devices } from './devices.ts';
export { DeviceEntry } from './entry.ts';
export { type DeviceTables, deviceTables } from './tables.ts';
