import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { until } from '../../../../test/until.ts';
import { closeDisks, defaultLimits, openVolumesDisk } from '../platform/index.ts';
import { Network } from './index.ts';
import { addresses } from './ip.ts';
import { testInNamespace, testPlatform } from './namespace.fixture.ts';

testInNamespace(import.meta.filename, (state) => {
  const { paths, programs, log } = testPlatform(state);
  const network = { namespace: 'none', subnet: '10.99.0.0/24', interfaces: [], acceptDhcpServers: [] };
  const config = { network, limits: defaultLimits() };
  before(() => openVolumesDisk(paths));
  after(async () => {
    for (const name of await programs.recorded()) await programs.stop(name);
    programs.close();
    await closeDisks(paths);
  });

  it('comes up from nothing, and is adopted by the next server', async () => {
    const network = await Network.open(config, paths, programs, log);
    assert.deepEqual([network.server, network.prefix, network.bridge], ['10.99.0.1', 24, 'walt0']);
    const before = programs.status();
    assert.deepEqual(before.map(({ name, state }) => [name, state]).sort(), [
      ['dnsmasq', 'running'],
      ['nfs', 'running'],
    ]);
    // It ends when it does not find the portmapper, which is this server's, while it tells of itself.
    await until('the end of the start of nfs', async () => {
      const log = await readFile(join(paths.logs, 'nfs.log'), 'utf8');
      return log.includes('NFS SERVER INITIALIZED');
    });
    programs.close();
    await network.close();
    await (await Network.open(config, paths, programs, log)).close();
    const pids = (status: typeof before) => status.map(({ name, pid }) => [name, pid]).sort();
    assert.deepEqual(pids(programs.status()), pids(before));
  });

  it('finds free addresses', async () => {
    const network = await Network.open(config, paths, programs, log);
    assert.equal(await network.freeAddress(new Set()), '10.99.0.2');
    assert.equal(await network.freeAddress(new Set(['10.99.0.2', '10.99.0.3'])), '10.99.0.4');
    await network.close();
  });

  it('replaces its programs when their configuration has changed', async () => {
    const pids = () => programs.status().map(({ pid }) => pid);
    const before = pids();
    programs.close();
    const moved = await Network.open(
      { ...config, network: { ...network, subnet: '10.98.0.0/24' } },
      paths,
      programs,
      log,
    );
    assert.equal(moved.server, '10.98.0.1');
    assert.deepEqual(await addresses('walt0'), ['10.98.0.1/24']);
    assert.ok(pids().every((pid) => pid !== null && !before.includes(pid)));
  });
});
