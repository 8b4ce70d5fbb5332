/**
 * Lines that nodes and the platform log. They are kept by a program of its own (`program/`), which goes on while the server is away;
 * here is what the server asks it, and what users name in it.
 */
export { createLogCalls, LogLines } from './calls.ts';
export { Checkpoints } from './checkpoints.ts';
export { LogImports } from './imports.ts';
export { Logs, startLogProgram } from './logs.ts';
export { bringLines, type Keeper, openKeeper } from './program/index.ts';
export { type CheckpointTables, checkpointTables } from './tables.ts';
export { type ToldLine, toldLines } from './told.ts';
