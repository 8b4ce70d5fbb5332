import assert from 'node:assert/strict';
import { after, afterEach, before, it } from 'node:test';
import { attempt, run } from '../../platform/index.ts';
import { ipIn } from '../ip.ts';
import { Lab, wanted } from '../lab.fixture.ts';
import { testInNamespace } from '../namespace.fixture.ts';
import { releaseAdapters } from './release.ts';

testInNamespace(import.meta.filename, (state) => {
  const lab = new Lab(state);
  before(() => lab.open());
  afterEach(() => lab.clear());
  after(() => lab.close());

  it('joins, loses its link and has it again, is adopted by the next server, and goes back as it was', async () => {
    await lab.plug('lab0');
    await lab.onHost('link', 'set', 'lab0', 'mtu', '9000', 'promisc', 'on');
    const before = await lab.seen('lab0');
    await lab.serve([wanted('lab0')]);
    await lab.settled('lab0', 'joined');
    assert.ok(await lab.isReached());
    assert.equal((await lab.port('lab0'))?.mtu, 1500);
    await lab.inLab('link', 'set', 'port-lab0', 'down');
    await lab.settled('lab0', 'no-link');
    await lab.inLab('link', 'set', 'port-lab0', 'up');
    await lab.settled('lab0', 'joined');
    await lab.end();
    const adopted = await lab.port('lab0');
    await lab.serve([wanted('lab0')]);
    assert.deepEqual(await lab.port('lab0'), adopted);
    await lab.stop();
    assert.deepEqual(await lab.seen('lab0'), before);
  });

  it('hears of changes again when what tells of them was killed', async () => {
    await lab.plug('lab0');
    await lab.serve([wanted('lab0')]);
    await lab.settled('lab0', 'joined');
    await run(['pkill', '-KILL', '--parent', String(process.pid), '--full', '^ip .*monitor link']);
    await lab.inLab('link', 'set', 'port-lab0', 'down');
    await lab.settled('lab0', 'no-link');
    await lab.inLab('link', 'set', 'port-lab0', 'up');
    await lab.settled('lab0', 'joined');
  });

  it('stays with a host that uses it, unless that is accepted; the host then has its addresses and routes again', async () => {
    await lab.plug('lab0');
    await lab.onHost('address', 'add', '192.0.2.7/24', 'dev', 'lab0');
    await lab.onHost('address', 'add', '192.0.2.8/24', 'dev', 'lab0', 'label', 'lab0:two');
    assert.match((await lab.refusal(wanted('lab0'))).message, /lab0 carries the address 192\.0\.2\.7/);
    await lab.onHost('route', 'add', 'default', 'via', '192.0.2.1', 'dev', 'lab0', 'metric', '50');
    await lab.onHost(...'route add 198.51.100.0/24 via 192.0.2.2 src 192.0.2.8 proto static'.split(' '));
    const error = await lab.refusal(wanted('lab0'));
    assert.match(error.message, /default route/);
    assert.match(error.hint, /accept-in-use/);
    const before = await lab.seen('lab0');
    assert.equal(before.addresses?.length, 2);
    await lab.serve([wanted('lab0', { acceptInUse: true })]);
    assert.equal((await lab.port('lab0'))?.master, 'walt0');
    assert.equal(await lab.onHost('route', 'show'), '');
    await lab.stop();
    assert.deepEqual(await lab.seen('lab0'), before);
  });

  it('stays with the host when it cannot join, and the reason is told', async () => {
    await lab.plug('lab0');
    const before = await lab.seen('lab0');
    await lab.onHost('link', 'add', 'link', 'lab0', 'name', 'mac0', 'type', 'macvlan');
    assert.match((await lab.refusal(wanted('lab0'))).message, /lab0 carries mac0 of this machine/);
    await lab.onHost('link', 'delete', 'mac0');
    await lab.onHost('link', 'add', 'br0', 'type', 'bridge');
    assert.match((await lab.refusal(wanted('br0'))).message, /of the kind "bridge"/);
    await lab.onHost('link', 'set', 'lab0', 'master', 'br0');
    assert.match(
      (await lab.refusal(wanted('lab0', { acceptInUse: true }))).message,
      /lab0 is a member of br0/,
    );
    await lab.onHost('link', 'delete', 'br0');
    const missing = await lab.refusal(wanted('nowhere'));
    assert.equal(missing.code, 'NOT_FOUND');
    assert.match(missing.hint, /It has lab0\./);
    // One that can join is not taken when another one cannot.
    await lab.refusal(wanted('lab0'), wanted('nowhere'));
    assert.deepEqual(await lab.seen('lab0'), before);
  });

  it('names the platform that has it', async () => {
    const other = `${lab.own}-3`;
    // Tests of others have adapters, too.
    const name = `only${process.pid}`;
    await run(['ip', 'netns', 'add', other]);
    try {
      await ipIn(other, 'link', 'set', 'lo', 'alias', 'walt:/srv/other');
      await ipIn(other, 'link', 'add', name, 'type', 'bridge');
      const { code, message } = await lab.refusal(wanted(name));
      assert.equal(code, 'CONFLICT');
      assert.ok(message.includes(`${name} is a part of the platform in /srv/other`), message);
    } finally {
      await run(['ip', 'netns', 'delete', other]);
    }
  });

  it('goes on without an adapter that vanished, and has it again when it returns, by another server too', async () => {
    await lab.plug('lab0');
    await lab.plug('lab1', { alone: true });
    const both = [wanted('lab0'), wanted('lab1')];
    let segments = await lab.serve(both);
    const vanish = async () => {
      await ipIn(undefined, 'link', 'delete', 'dev', 'lab0');
      await lab.settled('lab0', 'missing');
    };
    await lab.settled('lab0', 'joined');
    await vanish();
    assert.equal(lab.stateOf('lab1'), 'joined');
    const { since } = segments.adapters[0] ?? {};
    assert.ok(since !== undefined && Math.abs(since - Date.now() / 1000) < 600);
    await lab.plug('lab0');
    await lab.settled('lab0', 'joined');
    await vanish();
    await lab.end();
    segments = await lab.serve(both);
    assert.equal(lab.stateOf('lab0'), 'missing');
    await lab.plug('lab0');
    await lab.settled('lab0', 'joined');
    await vanish();
    // The host takes it first: it is not torn away.
    await lab.onHost('link', 'add', 'br0', 'type', 'bridge');
    const cable = ['type', 'veth', 'peer', 'name', 'away', 'netns', lab.lab];
    await lab.onHost('link', 'add', 'lab0', 'master', 'br0', ...cable);
    await lab.settled('lab0', 'refused');
    assert.match(segments.adapters[0]?.reason ?? '', /member of br0/);
    await lab.onHost('link', 'delete', 'br0');
    await lab.settled('lab0', 'no-link');
    await lab.inLab('link', 'delete', 'dev', 'away');
    await lab.settled('lab0', 'missing');
  });

  it('gives back what the configuration names no more, and what a crash left', async () => {
    await lab.plug('lab0');
    await lab.plug('lab1', { alone: true });
    const before = [await lab.seen('lab0'), await lab.seen('lab1')];
    await lab.serve([wanted('lab0'), wanted('lab1')]);
    await lab.end();
    await lab.serve([wanted('lab0')]);
    assert.equal(await lab.port('lab1'), undefined);
    assert.deepEqual(await lab.seen('lab1'), before[1]);
    await lab.end();
    // The namespace went with a crash, and the kernel gave it back: down, with nothing on it.
    await ipIn(undefined, 'link', 'set', 'lab0', 'nomaster');
    await ipIn(undefined, 'link', 'set', 'lab0', 'netns', lab.host);
    assert.deepEqual(await releaseAdapters('no-such-namespace', lab.file, lab.host), []);
    assert.deepEqual(await lab.seen('lab0'), before[0]);
  });

  it('joins a VLAN, or tells that the kernel has none', async () => {
    await lab.plug('lab0');
    const vlan = wanted('lab0.169', { vlan: { parent: 'lab0', id: 169 } });
    const before = await lab.seen('lab0');
    if (await kernelHasVlans()) {
      await lab.serve([vlan]);
      assert.equal((await lab.port('lab0.169'))?.master, 'walt0');
    } else {
      const { code, message } = await lab.refusal(vlan);
      assert.equal(code, 'UNAVAILABLE');
      assert.match(message, /kernel has no VLANs \(802\.1Q\), so lab0\.169 cannot be made/);
    }
    await lab.stop();
    assert.deepEqual(await lab.seen('lab0'), before);
    const gone = await lab.refusal(wanted('nowhere.5', { vlan: { parent: 'nowhere', id: 5 } }));
    assert.match(gone.message, /There is no adapter nowhere /);
  });

  it('a VLAN takes the place of its adapter, for the next server', async () => {
    await lab.plug('lab0');
    const before = await lab.seen('lab0');
    await lab.serve([wanted('lab0')]);
    await lab.end();
    const vlan = wanted('lab0.169', { vlan: { parent: 'lab0', id: 169 } });
    if (await kernelHasVlans()) await lab.serve([vlan]);
    else assert.match((await lab.refusal(vlan)).message, /kernel has no VLANs/);
    assert.equal(await lab.port('lab0'), undefined);
    assert.deepEqual(await lab.seen('lab0'), before);
  });

  const kernelHasVlans = async () => {
    const words = ['link', 'add', 'link', 'port-lab0', 'name', 'probe', 'type', 'vlan', 'id', '7'];
    const { status } = await attempt(['ip', '-netns', lab.lab, ...words]);
    if (status === 0) await lab.inLab('link', 'delete', 'probe');
    return status === 0;
  };
});
