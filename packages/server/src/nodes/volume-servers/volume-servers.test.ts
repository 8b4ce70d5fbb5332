import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Catalogue } from '../../images/catalogue/index.ts';
import type { DigestRecord } from '../../images/index.ts';
import { openDatabase } from '../../platform/index.ts';
import { serverTables } from '../../tables.ts';
import { bootingNodes } from '../booting-nodes.ts';
import type { VolumeHost } from '../engine/index.ts';
import { type NodeRow, NodeStore } from '../store.ts';
import { VolumeServerStore } from './store.ts';
import { VolumeServers } from './volume-servers.ts';

const IMAGE: DigestRecord = {
  ...{ digest: `sha256:${'a'.repeat(64)}`, architecture: 'amd64', created: 1, size: 1, layers: [] },
  ...{ kernel: '6.1', bootPlan: 'volumes', models: [], lends: [] },
};
const IP = '10.73.127.254';
const HAS_ALL = 'have a.erofs\nhave b.erofs\nroom 100\n';
const inUse: VolumeHost = { name: 'h1', inUse: true, isDrained: false };

describe('VolumeServers', () => {
  let store: NodeStore;
  let rows: VolumeServerStore;
  let servers: VolumeServers;
  let hosts: VolumeHost[] | undefined;
  let volumes: string[];
  let close: () => Promise<void>;
  beforeEach(async () => {
    const database = await openDatabase(':memory:', serverTables);
    close = () => database.destroy();
    hosts = [inUse];
    volumes = ['a.erofs', 'b.erofs'];
    const catalogue = new Catalogue(database, bootingNodes);
    await catalogue.point({ owner: 'alice', name: 'lab' }, IMAGE, 'absent', {
      user: 'alice',
      action: 'clone',
    });
    store = new NodeStore(database);
    await store.register(async () => ({
      ...{ mac: '52:54:00:00:00:01', ip: '10.73.0.2', name: 'n1', type: 'virtual', model: 'pc-x86-64' },
      ...{ architecture: 'amd64', image_owner: 'alice', image_name: 'lab' },
    }));
    rows = await VolumeServerStore.open({
      database,
      network: { keepAddress() {}, highestAddress: () => IP },
      taken: async () => new Set(),
    });
    servers = new VolumeServers({
      ...{ database, store, servers: rows, images: { byDigest: (digest) => catalogue.digest(digest) } },
      machines: { volumeHosts: () => hosts, places: async () => new Map([[1, { host: 'h1' }]]) },
      provenVolumesOf: async () => volumes,
      factsOf: async (name) => ({ name, size: 50, sha256: 'f'.repeat(64), blocks: 1, root: 'e'.repeat(64) }),
      changed: async () => [],
      log: { info() {}, warn() {}, error() {} },
    });
    await rows.place('h1');
  });
  afterEach(() => close());

  const node = async (): Promise<NodeRow> => {
    const row = await store.byId(1);
    assert.ok(row);
    return row;
  };
  /** Gives the node its boot, with what serves its volumes. */
  const boot = async () => {
    const volumes = await servers.choose(await node(), IMAGE);
    const { generation } = await node();
    const persist = await store.persistFolder(1, 'alice');
    await store.noteServed(await node(), {
      ...{ generation, digest: IMAGE.digest, persist, mounts: true, token: 'x', cycle: null },
      served_volumes: volumes && JSON.stringify(volumes),
    });
    return volumes?.host ?? null;
  };

  it('knows a volume server by its address and its secret', async () => {
    const { token } = await rows.place('h1');
    assert.ok(servers.knows(IP, token));
    assert.ok(!servers.knows(IP, 'x'));
    assert.ok(!servers.knows('10.73.0.2', token));
  });

  it('has copied what nodes of a host boot, and sends them there once it has all', async () => {
    assert.equal(await servers.report(IP, 'room 100\n'), `fetch a.erofs 50 ${'f'.repeat(64)}\n`);
    assert.equal(
      await servers.report(IP, 'have a.erofs\nunchecked b.erofs\nroom 0\n'),
      `fetch b.erofs 50 ${'f'.repeat(64)}\n`,
    );
    assert.equal(await boot(), null);
    assert.equal(await servers.report(IP, HAS_ALL), '');
    assert.equal(await boot(), 'h1');
    assert.deepEqual(servers.serverOf(await node()), {
      volumeServer: IP,
      proofs: volumes.map((name) => ({ name, blocks: 1, root: 'e'.repeat(64) })),
    });
    hosts = [{ ...inUse, inUse: false }];
    assert.equal(await boot(), null);
  });

  it('shares nodes that choose at once among all that have their volumes', async () => {
    for (const at of [2, 3, 4]) {
      await store.register(async () => ({
        ...{ mac: `52:54:00:00:00:0${at}`, ip: `10.73.0.1${at}`, name: `n${at}`, type: 'physical' },
        ...{ model: 'pc-x86-64', architecture: 'amd64', image_owner: 'alice', image_name: 'lab' },
      }));
    }
    await servers.report(IP, HAS_ALL);
    const rows = (await store.all()).map((row) => ({ ...row, settings: { 'volumes.from': 'least-loaded' } }));
    const chosen = await Promise.all(rows.map((row) => servers.choose(row, IMAGE)));
    assert.deepEqual(
      chosen.map((one) => one?.host ?? null),
      ['h1', null, 'h1', null],
    );
  });

  it('sends nobody to a copy that it has ordered to be dropped', async () => {
    await servers.report(IP, 'have old.erofs\nhave a.erofs\nroom 10\n');
    const orders = await servers.report(IP, 'have old.erofs\nhave a.erofs\nroom 10\n');
    assert.match(orders, /^drop old\.erofs\nfetch b\.erofs /);
    assert.deepEqual(await servers.choose(await node(), IMAGE), null);
  });

  it('believes no copy that a node found to be wrong, until it was fetched anew', async () => {
    await servers.report(IP, HAS_ALL);
    assert.equal(await boot(), 'h1');
    const { generation } = await node();
    await servers.disproved(await node(), 'other.erofs');
    assert.equal((await node()).generation, generation, 'it has mounted no such volume');
    await servers.disproved(await node(), 'a.erofs');
    assert.equal((await node()).generation, generation + 1);
    await servers.disproved(await node(), 'a.erofs');
    assert.equal((await node()).generation, generation + 1, 'once');
    assert.equal(await servers.report(IP, HAS_ALL), '', 'it is still mounted');
    assert.equal(await boot(), null);
    assert.equal(await servers.report(IP, HAS_ALL), 'drop a.erofs\n');
    assert.match(await servers.report(IP, 'have b.erofs\nroom 100\n'), /^fetch a\.erofs /);
    assert.equal(await boot(), null);
    await servers.report(IP, HAS_ALL);
    assert.equal(await boot(), 'h1');
  });

  it('sends nobody to a host who could not prove what it gets there', async () => {
    await servers.report(IP, HAS_ALL);
    volumes = [];
    assert.equal(await boot(), null);
  });

  it('brings a node elsewhere at once when its copy is gone, before another one is fetched', async () => {
    await servers.report(IP, HAS_ALL);
    await boot();
    const { generation } = await node();
    await servers.report(IP, 'unchecked a.erofs\nunchecked b.erofs\nroom 1\n');
    assert.equal((await node()).generation, generation, 'after a start, all is looked at anew');
    assert.match(await servers.report(IP, 'have a.erofs\nroom 100\n'), /^fetch b\.erofs /);
    assert.equal((await node()).generation, generation + 1);
    await servers.report(IP, 'have a.erofs\nroom 100\n');
    assert.equal((await node()).generation, generation + 1, 'once');
  });
});
