/** The cluster that runs virtual nodes, as server.conf tells it. */
import { join } from 'node:path';
import * as z from 'zod';

const OWN_PARTITION = 'walt';
const EXISTING = 'is a key of an existing cluster; one of our own has its own';

export const slurmConfig = z
  .strictObject({
    /** `own`: the server runs its controller, and `walt-server host add` makes its hosts. `existing`: others do. */
    cluster: z.enum(['own', 'existing']).default('existing'),
    /** Slurm.conf(5) of an existing one, on this machine. */
    config: z.string().startsWith('/', { error: 'must be an absolute path' }).optional(),
    /** Hosts of an existing one that run virtual nodes. */
    partition: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, { error: 'must be the name of a partition' })
      .optional(),
    /** Of this machine, at which these hosts reach it. */
    address: z.ipv4(),
    /** By UDP, of the tunnels between this machine and hosts. */
    'vxlan-port': z.int().min(1).max(65_535).default(4789),
  })
  .refine(({ cluster, config }) => cluster === 'existing' || config === undefined, {
    path: ['config'],
    error: EXISTING,
  })
  .refine(({ cluster, partition }) => cluster === 'existing' || partition === undefined, {
    path: ['partition'],
    error: EXISTING,
  })
  .transform(
    ({ cluster, config, partition, address, 'vxlan-port': vxlanPort }): SlurmConfig => ({
      ...{ own: cluster === 'own', address, vxlanPort },
      ...{ config: config ?? '/etc/slurm/slurm.conf', partition: partition ?? OWN_PARTITION },
    }),
  );

export interface SlurmConfig {
  /** The server itself runs its controller. */
  own: boolean;
  /** Slurm.conf(5). */
  config: string;
  partition: string;
  address: string;
  vxlanPort: number;
}

/** What the server keeps of a cluster of our own, in its state folder. */
export function clusterFolder(state: string): string {
  return join(state, 'slurm');
}

/** A cluster of our own has its configuration there. */
export function withOwnConfig(slurm: SlurmConfig | undefined, state: string): SlurmConfig | undefined {
  return slurm?.own ? { ...slurm, config: join(clusterFolder(state), 'slurm.conf') } : slurm;
}
