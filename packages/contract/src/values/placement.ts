/** Where virtual nodes may run, as the value of their setting `host` tells it. */

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
