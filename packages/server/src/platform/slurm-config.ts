/** The cluster that runs virtual nodes, as server.conf tells it. */
import { z } from 'zod';

export const slurmConfig = z
  .strictObject({
    /** Its slurm.conf(5) on this machine. */
    config: z
      .string()
      .startsWith('/', { error: 'must be an absolute path' })
      .default('/etc/slurm/slurm.conf'),
    /** Its hosts that run virtual nodes. */
    partition: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, { error: 'must be the name of a partition' })
      .default('walt'),
    /** Of this machine, at which these hosts reach it. */
    address: z.ipv4(),
    /** By UDP, of the tunnels between this machine and hosts. */
    'vxlan-port': z.int().min(1).max(65_535).default(4789),
  })
  .transform(({ 'vxlan-port': vxlanPort, ...keys }): SlurmConfig => ({ ...keys, vxlanPort }));

export interface SlurmConfig {
  config: string;
  partition: string;
  address: string;
  vxlanPort: number;
}
