/** Who runs the machines of virtual nodes, and where. */
export type { Engine, EngineHost, Placed, PlaceSeen, VolumeHost } from './engine.ts';
export { isMachine, programName } from './local.ts';
export { openEngine } from './open.ts';
export {
  addHost,
  clusterRuns,
  deleteCopies,
  drainHost,
  endCluster,
  endJobs,
  type HostListed,
  type HostWish,
  knownHosts,
  listHosts,
  removeHost,
  resumeHost,
} from './slurm/index.ts';
