/** Who runs the machines of virtual nodes, and where. */
export type { Engine, EngineHost, Placed } from './engine.ts';
export { LocalEngine, programName } from './local.ts';
