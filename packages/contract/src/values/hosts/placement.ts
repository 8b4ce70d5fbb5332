/** Hosts of nodes: where virtual ones may run, as their setting `host` tells it, and who serves volumes, as `volumes.from` does. */

export const ANY_HOST = 'any';
/** In front of what a host must have. */
const WITH = 'with:';
const MAX_FEATURES = 8;
/** As Slurm has them: names of hosts, and words that its administrator gives them. They become words of a command line. */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

export interface Placement {
  /** There, and nowhere else. */
  host?: string;
  /** Where a host has all of these. */
  features: readonly string[];
}

/** As users are told. */
export const PLACEMENT_TAKES = `${ANY_HOST}, the name of a host, or ${WITH} and what it must have, as ${WITH}kvm,gpu`;

/** Undefined: it is no such value. */
export function parsePlacement(value: string): Placement | undefined {
  if (value === ANY_HOST) return { features: [] };
  if (!value.startsWith(WITH)) return NAME.test(value) ? { host: value, features: [] } : undefined;
  const features = value.slice(WITH.length).split(',');
  return features.length <= MAX_FEATURES && features.every((name) => NAME.test(name))
    ? { features }
    : undefined;
}

/** Volumes come from the host that the node runs on. */
export const OWN_HOST = 'own-host';
/** From the WalT server. */
export const WALT_SERVER = 'server';
/** Of all that have them, from the one with the fewest nodes. */
export const LEAST_LOADED = 'least-loaded';

/** As users are told. */
export const VOLUMES_FROM_TAKES = `${OWN_HOST}, ${WALT_SERVER}, ${LEAST_LOADED}, or the name of a host that keeps volumes`;

export function isVolumesFrom(value: string): boolean {
  return NAME.test(value);
}
