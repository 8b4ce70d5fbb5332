/** Hosts that keep copies of volumes and serve them: what each is to have, and which nodes mount them there. */
export { type ServedVolumes, servedVolumes, usedHosts } from './served.ts';
export { VolumeServerStore } from './store.ts';
export { VolumeServers } from './volume-servers.ts';
