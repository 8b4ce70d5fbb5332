import assert from 'node:assert/strict';
import { after, afterEach, before, it } from 'node:test';
import { until } from '../../../../test/until.ts';
import { Lab, NEIGHBOUR, wanted } from './lab.fixture.ts';
import { testInNamespace } from './namespace.fixture.ts';

testInNamespace(import.meta.filename, (state) => {
  const lab = new Lab(state);
  before(() => lab.open());
  afterEach(() => lab.clear());
  after(() => lab.close());

  it('an adapter does not join where another DHCP server answers, unless that is accepted', async () => {
    await lab.plug('lab0');
    const before = await lab.seen('lab0');
    await using _ = await lab.startDhcp('--no-ping');
    const { code, message, hint } = await lab.refusal(wanted('lab0'));
    assert.equal(code, 'CONFLICT');
    assert.match(message, /Another DHCP server answers behind lab0: 10\.99\.0\.77\./);
    assert.match(hint, /accept-dhcp-servers: \[10\.99\.0\.77\]/);
    assert.deepEqual(await lab.seen('lab0'), before);
    const segments = await lab.serve([wanted('lab0')], [NEIGHBOUR]);
    const known = segments.servers.map(({ lastSeen, ...server }) => server);
    assert.deepEqual(known, [{ address: NEIGHBOUR, link: 'lab0', accepted: true }]);
  });

  it('one that comes later is told, and the adapter stays', async () => {
    await lab.plug('lab0');
    const segments = await lab.serve([wanted('lab0')]);
    await lab.settled('lab0', 'joined');
    assert.deepEqual(segments.servers, []);
    await using _ = await lab.startDhcp();
    // Its link goes and comes, as when a switch starts anew.
    await lab.inLab('link', 'set', 'port-lab0', 'down');
    await lab.settled('lab0', 'no-link');
    await lab.inLab('link', 'set', 'port-lab0', 'up');
    const found = await until('it to be found', async () => segments.servers.at(0));
    assert.deepEqual([found.address, found.accepted], [NEIGHBOUR, false]);
    assert.equal(lab.stateOf('lab0'), 'joined');
  });

  it('two adapters that lead to one segment are refused, before anything goes in a circle', async () => {
    await lab.plug('lab0');
    await lab.plug('lab1');
    const both = [wanted('lab0'), wanted('lab1')];
    const before = [await lab.seen('lab0'), await lab.seen('lab1')];
    const { code, message } = await lab.refusal(...both);
    assert.equal(code, 'CONFLICT');
    assert.match(message, /lab[01] comes back by another adapter/);
    assert.deepEqual([await lab.seen('lab0'), await lab.seen('lab1')], before);
    // The one that has joined is not disturbed by the other, which the next server is to take.
    await lab.serve([wanted('lab0')]);
    await lab.end();
    assert.match((await lab.refusal(...both)).message, /lab1 comes back by another adapter/);
    assert.equal((await lab.port('lab0'))?.master, 'walt0');
    assert.deepEqual(await lab.seen('lab1'), before[1]);
    await lab.inLab('link', 'set', 'port-lab1', 'nomaster');
    await lab.serve(both);
    await lab.settled('lab1', 'joined');
  });
});
