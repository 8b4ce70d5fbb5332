/** Adapters of this machine that join walt-net, and go back to the host as they were. */
export { whyAbsent } from './absent.ts';
export { type AdapterStatus, Adapters } from './adapters.ts';
export { LinkWatch } from './link-watch.ts';
export { reasonAgainst } from './plan.ts';
export { releaseAdapters } from './release.ts';
export { type HostLink, isNamed, look } from './world.ts';
