/** Slurm's programs, with a controller. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster } from '../../../../../../test/hosts/cluster.ts';
import { Slurm } from './slurm.ts';

test('a job of somebody else is no machine, and serves no volumes, whatever it is called', async () => {
  await using cluster = await Cluster.start(1);
  const { config } = cluster.keys;
  const onHost = (argv: readonly string[]) => cluster.onServer(argv);
  const slurm = new Slurm({ config, partition: 'walt', prefix: 'walt-lab-', onHost });
  const script = '#!/bin/sh\nsleep 100\n';
  const place = { host: 'h1', features: [] };
  const job = await slurm.submit({ id: 1, script, hash: 'a', memory: 100, cpuCores: 1, place });
  const volumes = await slurm.submitVolumes('h1', { script, hash: 'a' });
  for (const name of ['walt-lab-1', 'walt-lab-volumes-h1']) {
    await cluster.run(
      ...['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'sbatch', `--job-name=${name}`],
      ...['--comment=b b - told by somebody', '--chdir=/', '--output=/dev/null', '--wrap=sleep 100'],
    );
  }
  assert.deepEqual(
    (await slurm.jobs()).map((seen) => [seen.job, seen.hash]),
    [[job, 'a']],
  );
  assert.deepEqual(
    (await slurm.volumeJobs()).map((seen) => [seen.job, seen.hash]),
    [[volumes, 'a']],
  );
});
