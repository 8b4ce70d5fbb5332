/** The one way from the server to registries: bounded in bytes and time, careful with passwords and with where it is led. */

export { damaged, explainCopying } from './copy-failure.ts';
export { type GateDoor, type RegistryAccess, RegistryGate } from './gate.ts';
export type { FailureKind } from './protocol.ts';
export { refusedPassword, unknownRegistry } from './registry-failure.ts';
