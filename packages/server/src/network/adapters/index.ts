/** Adapters of this machine that join walt-net, and go back to the host as they were. */
export { type AdapterStatus, Adapters, releaseAdapters } from './adapters.ts';
export { reasonAgainst } from './plan.ts';
export { look } from './world.ts';
