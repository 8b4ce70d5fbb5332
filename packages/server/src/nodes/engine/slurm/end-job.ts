import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import type { Slurm } from './slurm.ts';

/** Milliseconds for a job to be gone; and between two looks. */
const LIMIT = 15_000;
const PAUSE = 100;

/** Resolves once nothing of a node's job runs. Where its host is away, Slurm sees to that when it is back. */
export async function endJob(id: number, cluster: Cluster, slurm: Pick<Slurm, 'cancel'>): Promise<void> {
  const deadline = Date.now() + LIMIT;
  for (;;) {
    cluster.changed();
    await cluster.look();
    const seen = cluster.jobs.get(id);
    if (!seen || seen.phase === 'over' || Date.now() > deadline) return;
    if (seen.phase === 'lives') await slurm.cancel([seen.job]);
    await delay(PAUSE);
  }
}
