/** A cluster of our own: its programs on the server's machine, and how other machines become its hosts. */
export { addHost, type HostWish } from './add-host.ts';
export { clusterRuns, endCluster, startCluster, untilAnswers } from './cluster-programs.ts';
export { knownHosts } from './known-hosts.ts';
export { removeHost } from './remove-host.ts';
