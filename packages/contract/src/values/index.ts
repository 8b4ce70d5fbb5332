/**
 * Names, references, sizes and constants, without a schema library: clients, which load none, read and check by the same rules as
 * the server. The contract's schemas are made of these.
 */
export * from './boots.ts';
export * from './digests.ts';
export * from './exposed-ports.ts';
export * from './globs.ts';
export * from './hosts/placement.ts';
export * from './hosts/ssh-place.ts';
export * from './ignore-rules.ts';
export * from './images.ts';
export * from './kinds.ts';
export * from './limits.ts';
export * from './logs.ts';
export * from './machine-sizes.ts';
export * from './names.ts';
export * from './networks.ts';
export * from './node-sets.ts';
export * from './node-settings.ts';
export * from './proofs.ts';
export * from './registries.ts';
export * from './version.ts';
export * from './wire.ts';
