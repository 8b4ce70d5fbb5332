/** A cluster of our own: its programs on the server's machine, and how other machines become its hosts. */
export { addHost } from './add-host.ts';
export {
  clusterRuns,
  endCluster,
  restartController,
  startCluster,
  untilAnswers,
} from './cluster-programs.ts';
export type { HostWish } from './host-plan.ts';
export { knownHosts } from './known-hosts.ts';
export { removeHost } from './remove-host.ts';
