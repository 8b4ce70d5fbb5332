import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, it } from 'node:test';
import { until } from '../../../../../test/until.ts';
import { attempt, namespaceFile, run, UserError, type WantedAdapter } from '../../platform/index.ts';
import { Bridge } from '../bridge.ts';
import { ipIn, links } from '../ip.ts';
import { testInNamespace } from '../namespace.fixture.ts';
import { Segments } from '../segments.ts';
import { parseSubnet } from '../subnet.ts';
import { releaseAdapters } from './adapters.ts';
import { isNamed } from './world.ts';

const subnet = parseSubnet('10.99.0.0/24');
const wanted = (name: string, more: Partial<WantedAdapter> = {}): WantedAdapter => ({
  ...{ name, link: name, acceptInUse: false },
  ...more,
});

testInNamespace(import.meta.filename, (state) => {
  const own = process.env.WALT_TEST_NAMESPACE ?? '';
  // Segments finds the host's namespace by its name, as a server does; here, one only plays it.
  const namespace = `${own}-0`;
  const [host, lab] = [`${own}-1`, `${own}-2`];
  const file = join(state, 'adapters.json');
  const onHost = (...words: string[]) => ipIn(host, ...words);
  const inLab = (...words: string[]) => ipIn(lab, ...words);
  let bridge: Bridge;
  let segments: Segments | undefined;

  before(async () => {
    bridge = await Bridge.open('walt0', subnet);
    for (const name of [host, lab]) {
      await run(['ip', 'netns', 'add', name]);
      await ipIn(name, 'link', 'set', 'lo', 'up');
    }
    await inLab('link', 'add', 'switch0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
    await inLab('link', 'set', 'switch0', 'up');
    await inLab('address', 'add', '10.99.0.77/24', 'dev', 'switch0');
  });
  afterEach(async () => {
    await segments?.close();
    segments = undefined;
    assert.deepEqual(await releaseAdapters(own, file, host), []);
    assert.equal(existsSync(file), false);
    for (const port of (await links(lab)).filter(({ ifname }) => ifname.startsWith('port')))
      await inLab('link', 'delete', 'dev', port.ifname);
  });
  after(async () => {
    for (const name of [host, lab]) await run(['ip', 'netns', 'delete', name]);
  });

  /** An adapter of the host, whose cable leads to the switch; both ends are up. */
  async function plug(name: string): Promise<void> {
    const port = `port-${name}`;
    // In one step: a server that waits for it takes it at once.
    await onHost('link', 'add', 'name', name, 'up', 'type', 'veth', 'peer', 'name', port, 'netns', lab);
    await inLab('link', 'set', port, 'master', 'switch0', 'up');
  }
  const open = async (interfaces: WantedAdapter[], acceptDhcpServers: string[] = []) => {
    segments = await Segments.open({
      network: { namespace, subnet: subnet.cidr, interfaces, acceptDhcpServers },
      ...{ host, paths: { adapters: file }, bridge, server: subnet.server },
    });
    return segments;
  };
  const stateOf = (name: string) => segments?.adapters.find((one) => one.name === name)?.state;
  const settled = (name: string, state: string) =>
    until(`${name} to be ${state}`, async () => stateOf(name) === state, 20_000);
  const port = async (name: string) => (await links()).find((link) => isNamed(link, name));
  /** All that a host sees of an adapter, without counters and what changes by itself. */
  const seen = async (name: string) => ({
    // The first number is the kernel's, another one in each namespace.
    link: (await onHost('-details', 'link', 'show', 'dev', name)).replace(/^\d+: /, ''),
    addresses: await onHost('-4', 'address', 'show', 'dev', name),
    routes: await onHost('route', 'show', 'dev', name),
  });
  const isReached = async () =>
    (await attempt(['ip', 'netns', 'exec', lab, 'ping', '-c', '1', '-W', '5', subnet.server])).status === 0;

  it('joins, loses its link and has it again, is adopted by the next server, and goes back as it was', async () => {
    await plug('lab0');
    await onHost('link', 'set', 'lab0', 'mtu', '9000', 'promisc', 'on');
    const before = await seen('lab0');
    await open([wanted('lab0')]);
    assert.equal(stateOf('lab0'), 'joined');
    assert.ok(await isReached());
    assert.equal((await port('lab0'))?.mtu, 1500);
    await inLab('link', 'set', 'port-lab0', 'down');
    await settled('lab0', 'no-link');
    await inLab('link', 'set', 'port-lab0', 'up');
    await settled('lab0', 'joined');
    // A server that ends, however it ends, leaves it there.
    await segments?.close();
    const adopted = await port('lab0');
    await open([wanted('lab0')]);
    assert.deepEqual(await port('lab0'), adopted);
    await segments?.close();
    assert.deepEqual(await releaseAdapters(own, file, host), []);
    const carrier = async () => (await onHost('link', 'show', 'dev', 'lab0')).includes('LOWER_UP');
    await until('its link', carrier);
    assert.deepEqual(await seen('lab0'), before);
  });

  const refusal = async (...interfaces: WantedAdapter[]) => {
    const error = await open(interfaces).then(
      () => assert.fail('it was taken'),
      (error) => error,
    );
    assert.ok(error instanceof UserError, String(error));
    return error;
  };

  it('stays with a host that uses it, unless that is accepted; the host then has its addresses and routes again', async () => {
    await plug('lab0');
    await onHost('address', 'add', '192.0.2.7/24', 'dev', 'lab0');
    await onHost('address', 'add', '192.0.2.8/24', 'dev', 'lab0', 'label', 'lab0:two');
    assert.match((await refusal(wanted('lab0'))).message, /lab0 carries the address 192\.0\.2\.7/);
    await onHost('route', 'add', 'default', 'via', '192.0.2.1', 'dev', 'lab0', 'metric', '50');
    await onHost(
      'route',
      'add',
      '198.51.100.0/24',
      'via',
      '192.0.2.2',
      'src',
      '192.0.2.8',
      'proto',
      'static',
    );
    const error = await refusal(wanted('lab0'));
    assert.match(error.message, /default route/);
    assert.match(error.hint, /accept-in-use/);
    const before = await seen('lab0');
    await open([wanted('lab0', { acceptInUse: true })]);
    assert.equal((await port('lab0'))?.master, 'walt0');
    assert.equal(await onHost('route', 'show'), '');
    await segments?.close();
    assert.deepEqual(await releaseAdapters(own, file, host), []);
    assert.deepEqual(await seen('lab0'), before);
  });

  it('stays with the host when it cannot join, and the reason is told', async () => {
    await plug('lab0');
    await onHost('link', 'add', 'link', 'lab0', 'name', 'mac0', 'type', 'macvlan');
    assert.match((await refusal(wanted('lab0'))).message, /lab0 carries mac0 of this machine/);
    await onHost('link', 'delete', 'mac0');
    await onHost('link', 'add', 'br0', 'type', 'bridge');
    assert.match((await refusal(wanted('br0'))).message, /of the kind "bridge"/);
    await onHost('link', 'set', 'lab0', 'master', 'br0');
    assert.match((await refusal(wanted('lab0', { acceptInUse: true }))).message, /lab0 is a member of br0/);
    await onHost('link', 'delete', 'br0');
    const missing = await refusal(wanted('lab1'));
    assert.equal(missing.code, 'NOT_FOUND');
    assert.match(missing.hint, /It has lab0\./);
    // One that can join is not taken when another one cannot.
    await refusal(wanted('lab0'), wanted('lab1'));
    assert.equal(await port('lab0'), undefined);
    assert.match((await seen('lab0')).link, /[<,]UP[,>]/);
  });

  it('names the platform that has it', async () => {
    const other = `${own}-3`;
    await run(['ip', 'netns', 'add', other]);
    try {
      await ipIn(other, 'link', 'set', 'lo', 'alias', 'walt:/srv/other');
      await ipIn(other, 'link', 'add', 'lab0', 'type', 'bridge');
      const { code, message } = await refusal(wanted('lab0'));
      assert.equal(code, 'CONFLICT');
      assert.match(message, /lab0 is a part of the platform in \/srv\/other/);
    } finally {
      await run(['ip', 'netns', 'delete', other]);
    }
  });

  it('goes on without an adapter that vanished, and has it again when it returns, by another server too', async () => {
    await plug('lab0');
    await plug('lab1');
    await open([wanted('lab0'), wanted('lab1')]);
    const vanish = async () => {
      await ipIn(undefined, 'link', 'delete', 'dev', 'lab0');
      await settled('lab0', 'missing');
    };
    await vanish();
    assert.equal(stateOf('lab1'), 'joined');
    const { since } = segments?.adapters[0] ?? {};
    assert.ok(since !== undefined && Math.abs(since - Date.now() / 1000) < 60);
    await plug('lab0');
    await settled('lab0', 'joined');
    await vanish();
    await segments?.close();
    await open([wanted('lab0'), wanted('lab1')]);
    assert.equal(stateOf('lab0'), 'missing');
    // It is the host's now, and in use there: it is not torn away.
    await plug('lab0');
    await settled('lab0', 'joined');
    await vanish();
    await onHost('link', 'add', 'br0', 'type', 'bridge');
    await onHost(
      'link',
      'add',
      'lab0',
      'master',
      'br0',
      'type',
      'veth',
      'peer',
      'name',
      'away',
      'netns',
      lab,
    );
    await settled('lab0', 'refused');
    assert.match(segments?.adapters[0]?.reason ?? '', /member of br0/);
    await onHost('link', 'delete', 'br0');
    await settled('lab0', 'no-link');
    await inLab('link', 'delete', 'dev', 'away');
    await settled('lab0', 'missing');
  });

  it('gives back what the configuration names no more, and what a crash left', async () => {
    await plug('lab0');
    await plug('lab1');
    const before = await seen('lab1');
    await open([wanted('lab0'), wanted('lab1')]);
    await segments?.close();
    await open([wanted('lab0')]);
    assert.equal(await port('lab1'), undefined);
    await until('its link', async () => (await seen('lab1')).link === before.link);
    await segments?.close();
    // The namespace went with a crash, and the kernel gave it back: down, with nothing on it.
    await ipIn(undefined, 'link', 'set', 'lab0', 'nomaster');
    await ipIn(undefined, 'link', 'set', 'lab0', 'netns', host);
    assert.deepEqual(await releaseAdapters('no-such-namespace', file, host), []);
    assert.match((await seen('lab0')).link, /[<,]UP[,>]/);
  });

  it('joins a VLAN, or tells that the kernel has none', async () => {
    await plug('lab0');
    const vlan = wanted('lab0.169', { vlan: { parent: 'lab0', id: 169 } });
    const before = await seen('lab0');
    if (await kernelHasVlans()) {
      await open([vlan]);
      assert.equal((await port('lab0.169'))?.master, 'walt0');
    } else {
      const { code, message } = await refusal(vlan);
      assert.equal(code, 'UNAVAILABLE');
      assert.match(message, /kernel has no VLANs \(802\.1Q\), so lab0\.169 cannot be made/);
    }
    await segments?.close();
    await releaseAdapters(own, file, host);
    assert.deepEqual(await seen('lab0'), before);
    const gone = await refusal(wanted('lab9.5', { vlan: { parent: 'lab9', id: 5 } }));
    assert.match(gone.message, /There is no adapter lab9 /);
  });

  const kernelHasVlans = async () => {
    const words = ['link', 'add', 'link', 'lab0', 'name', 'probe', 'type', 'vlan', 'id', '7'];
    const { status } = await attempt(['ip', '-netns', host, ...words]);
    if (status === 0) await onHost('link', 'delete', 'probe');
    return status === 0;
  };

  /** Another DHCP server on the switch, as it is when nobody sets anything: it pings an address before it offers it. */
  async function startDhcp(): Promise<AsyncDisposable> {
    const options = ['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--log-facility=-'];
    const range = ['--interface=switch0', '--bind-interfaces', '--dhcp-range=10.99.0.200,10.99.0.220,1h'];
    const files = ['--pid-file=', `--dhcp-leasefile=${join(state, 'foreign-leases')}`];
    const child = spawn(
      'nsenter',
      [`--net=${namespaceFile(lab)}`, '--', 'dnsmasq', ...options, ...range, ...files],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    await once(child.stderr, 'data');
    child.stderr.resume();
    return {
      async [Symbol.asyncDispose]() {
        child.kill();
        await once(child, 'exit');
      },
    };
  }

  it('does not join where another DHCP server answers, unless that is accepted; one that comes later is told', async () => {
    await plug('lab0');
    const before = await seen('lab0');
    {
      await using _ = await startDhcp();
      const { code, message, hint } = await refusal(wanted('lab0'));
      assert.equal(code, 'CONFLICT');
      assert.match(message, /Another DHCP server answers behind lab0: 10\.99\.0\.77\./);
      assert.match(hint, /accept-dhcp-servers: \[10\.99\.0\.77\]/);
      await until('its link', async () => (await seen('lab0')).link === before.link);
      await open([wanted('lab0')], ['10.99.0.77']);
      const known = segments?.servers.map(({ lastSeen, ...server }) => server);
      assert.deepEqual(known, [{ address: '10.99.0.77', link: 'lab0', accepted: true }]);
      await segments?.close();
      await releaseAdapters(own, file, host);
    }
    await open([wanted('lab0')]);
    assert.deepEqual(segments?.servers, []);
    await using _ = await startDhcp();
    // Its link goes and comes, as when the switch starts anew.
    await inLab('link', 'set', 'port-lab0', 'down');
    await settled('lab0', 'no-link');
    await inLab('link', 'set', 'port-lab0', 'up');
    const found = await until('it to be found', async () => segments?.servers.at(0));
    assert.deepEqual([found.address, found.accepted], ['10.99.0.77', false]);
    assert.equal(stateOf('lab0'), 'joined');
  });
});
