import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '../../../../../test/until.ts';
import { run } from '../../platform/index.ts';
import { Bridge } from '../bridge.ts';
import { Dnsmasq } from '../dhcp/index.ts';
import { ipIn, links } from '../ip.ts';
import { Machine, testInNamespace, testPlatform } from '../namespace.fixture.ts';
import { parseSubnet } from '../subnet.ts';
import { HOST, INNER, NAME, OUTSIDE, World } from './gateway.fixture.ts';
import { Gateway } from './gateway.ts';

/** Says whether a port takes connections. */
const ASK_TCP = `require('node:net').connect(process.argv[2], process.argv[1])
  .setTimeout(3000, function () { this.destroy(); })
  .on('error', () => {}).on('connect', function () { console.log('open'); this.destroy(); })`;

testInNamespace(import.meta.filename, (state) => {
  const { paths, programs } = testPlatform(state);
  const subnet = parseSubnet('10.99.0.0/24');
  const [NAT, LAN] = ['10.99.0.2', '10.99.0.3'];
  const world = new World();
  const machines: Machine[] = [];
  let gateway: Gateway;

  const open = () =>
    Gateway.open({ subnet, bridge: 'walt0', namespace: world.own, host: world.host, paths, programs });
  const namespaceOf = (ip: string) => `${world.own}-${ip.split('.')[3]}`;
  const say = (from: string, address: string, port?: number) => world.say(namespaceOf(from), address, port);
  const machine = (ip: string) => machines[ip === NAT ? 0 : 1] as Machine;
  /** What a machine's resolver learns of a name, by IPv4 and IPv6. */
  const lookUp = async (from: string, name: string) => {
    const script = `const { Resolver } = require('node:dns').promises;
      const resolver = new Resolver({ timeout: 5000, tries: 3 });
      resolver.setServers([process.argv[1]]);
      const ask = (type) => resolver.resolve(process.argv[2], type).catch((error) => [error.code]);
      ask('A').then(async (four) => console.log(JSON.stringify([...four, ...(await ask('AAAA'))])));`;
    const { output } = await machine(from).attempt(process.execPath, '-e', script, subnet.server, name);
    return JSON.parse(output);
  };

  before(async () => {
    await Bridge.open('walt0', subnet);
    await Dnsmasq.open({ subnet, bridge: 'walt0', paths, programs, alone: true });
    await world.open();
    for (const ip of [NAT, LAN]) {
      const one = await Machine.plug(Number(ip.split('.')[3]), 'walt0', { ip: `${ip}/24` });
      machines.push(one);
      const namespace = namespaceOf(ip);
      await ipIn(namespace, 'link', 'set', 'lo', 'up');
      // As far as root on a node can go, whatever DHCP told him.
      await ipIn(namespace, 'route', 'add', 'default', 'via', subnet.server);
      await ipIn(
        namespace,
        'address',
        'add',
        `fd57:616c:7400::${ip.split('.')[3]}/64`,
        'dev',
        'eth0',
        'nodad',
      );
      await ipIn(namespace, '-6', 'route', 'add', 'default', 'via', 'fd57:616c:7400::1');
    }
    gateway = await open();
  });
  after(async () => {
    await gateway.close();
    for (const one of machines) await one.unplug();
    await world[Symbol.asyncDispose]();
    for (const name of await programs.recorded()) await programs.stop(name);
    programs.close();
  });

  it('lets nobody out while nobody may', async () => {
    await gateway.setNodes([]);
    assert.equal(await say(NAT, OUTSIDE.v4), '');
    assert.deepEqual(
      programs.status().map(({ name }) => name),
      ['dnsmasq'],
    );
  });

  describe('for a node that may go out', () => {
    before(() => gateway.setNodes([NAT]));

    it('is a way to what the server reaches', async () => {
      assert.equal(await say(NAT, OUTSIDE.v4), 'outside');
    });
    it('resolves names as the server does, and nodes as before', async () => {
      await until('the resolver of the outside', async () => (await lookUp(NAT, NAME))[0] === OUTSIDE.v4);
      assert.deepEqual(await lookUp(NAT, NAME), [OUTSIDE.v4, 'ENODATA']);
      for (const name of ['server.walt', 'server']) assert.equal((await lookUp(NAT, name))[0], subnet.server);
    });

    const never: [what: string, address: string, port?: number][] = [
      ['its address on the network', HOST.v4],
      ['its address among its containers', INNER.host],
      ['a container of it', INNER.container],
      ['its loopback, as slirp4netns has it', '192.0.0.2'],
      ['its resolver, as slirp4netns has it', '192.0.0.3', 53],
      ['the usual address of slirp4netns', '10.0.2.2'],
      ['nowhere, which is the machine itself', '0.0.0.1'],
      ['what clouds tell a machine', '169.254.169.254'],
      ['its address on the network by IPv6', HOST.v6],
      ['the outside by IPv6', OUTSIDE.v6],
      ['its loopback by IPv6, as slirp4netns has it', 'fd00::2'],
    ];
    for (const [what, address, port] of never) {
      it(`is no way to the host: ${what}`, async () => assert.equal(await say(NAT, address, port), ''));
    }
    it('is closed to those, not only empty', async () => {
      assert.equal(await world.say(world.host, HOST.v4), 'host');
      assert.equal(await world.say(world.host, INNER.host), 'host');
      assert.equal(await world.say(world.host, INNER.container), 'container');
      assert.equal(await world.say(world.host, OUTSIDE.v6), 'outside');
      assert.equal(await world.say(world.outside, HOST.v6), 'host');
    });
    it('is closed to addresses that the host gets later', async () => {
      await ipIn(world.host, 'address', 'add', '198.51.100.7/32', 'dev', 'lo');
      assert.equal(await world.say(world.host, '198.51.100.7'), 'host');
      await until('the host’s new address to be closed', async () => {
        const rules = await run(['nft', 'list', 'set', 'inet', 'walt-gateway', 'never']);
        return rules.includes('198.51.100.7');
      });
      assert.equal(await say(NAT, '198.51.100.7'), '');
    });
    it('is closed from outside', async () => {
      await world.serve(namespaceOf(NAT), 'node');
      assert.equal(await say(LAN, NAT), 'node');
      await ipIn(world.outside, 'route', 'add', subnet.cidr, 'via', HOST.v4);
      assert.equal(await world.say(world.outside, NAT), '');
      assert.equal(await world.say(world.host, NAT), '');
    });
  });

  describe('for all other nodes', () => {
    it('is no way, whatever they take for one', async () => {
      for (const address of [OUTSIDE.v4, OUTSIDE.v6, HOST.v4, INNER.host, '192.0.0.2', '192.0.0.100'])
        assert.equal(await say(LAN, address), '', address);
    });
    it('resolves no names of the outside', async () => {
      assert.deepEqual(await lookUp(LAN, NAME), ['EREFUSED', 'EREFUSED']);
      assert.deepEqual(await lookUp(LAN, 'server.walt'), [subnet.server, 'ENODATA']);
      const direct = ['-e', ASK_TCP, subnet.server, '1053'];
      assert.match((await machine(NAT).attempt(process.execPath, ...direct)).output, /open/);
      assert.doesNotMatch((await machine(LAN).attempt(process.execPath, ...direct)).output, /open/);
    });
  });

  it('goes on without its server, and the next one takes it over', async () => {
    const pids = () => ['gateway', 'gateway-names'].map((name) => programs.pid(name));
    const pidsBefore = pids();
    programs.close();
    await gateway.close();
    assert.equal(await say(NAT, OUTSIDE.v4), 'outside');
    gateway = await open();
    assert.equal(await say(NAT, OUTSIDE.v4), 'outside');
    await gateway.setNodes([NAT]);
    assert.deepEqual(pids(), pidsBefore);
    assert.equal(await say(NAT, OUTSIDE.v4), 'outside');
  });

  it('is back after kill -9', async () => {
    const before = programs.pid('gateway');
    programs.signal('gateway', 'SIGKILL');
    await until('another slirp4netns', async () => ![undefined, before].includes(programs.pid('gateway')));
    await until('a way', async () => (await say(NAT, OUTSIDE.v4)) === 'outside');
  });

  it('cuts off at once who may no longer', async () => {
    const talk = world.talk(namespaceOf(NAT), OUTSIDE.v4);
    assert.equal(await talk.ask('one'), 'one');
    await gateway.setNodes([LAN]);
    talk.tell('two');
    assert.equal(await say(LAN, OUTSIDE.v4), 'outside');
    assert.equal(await say(NAT, OUTSIDE.v4), '');
    assert.deepEqual(talk.heard, ['one']);
  });

  it('leaves nothing behind when nobody may any more', async () => {
    await gateway.setNodes([]);
    assert.equal(await say(LAN, OUTSIDE.v4), '');
    assert.deepEqual(await programs.recorded(), ['dnsmasq']);
    assert.ok(!(await links()).some(({ ifname }) => ifname === 'outside'));
    assert.doesNotMatch(await run(['nft', 'list', 'tables']), /walt-gateway/);
    assert.doesNotMatch(await run(['ip', 'rule', 'show']), /33000/);
  });
});
