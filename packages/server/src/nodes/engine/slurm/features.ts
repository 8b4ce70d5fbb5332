/** Words of Slurm's by which a host tells what it does for a platform. Pure. */
import type { HostSeen } from './output.ts';

/** It keeps copies of volumes. */
export const VOLUMES = 'volumes';
/** It runs no machines. */
export const NO_NODES = 'no-nodes';

type Host = Pick<HostSeen, 'features'>;

export function keepsVolumes({ features }: Host): boolean {
  return features.includes(VOLUMES);
}

export function runsNodes({ features }: Host): boolean {
  return !features.includes(NO_NODES);
}
