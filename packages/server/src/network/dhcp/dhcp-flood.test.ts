/** Machines that nobody knows, with the real dnsmasq: they are heard, and however many they are, nodes get their addresses. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Bridge } from '../bridge.ts';
import { learnedPorts } from '../ip.ts';
import { Machine, testInNamespace, testPlatform } from '../namespace.fixture.ts';
import { parseSubnet } from '../subnet.ts';
import { BURST, boundUnknown, RATE } from './dhcp-flood.ts';
import { hearDhcp } from './dhcp-listener.ts';
import type { DhcpRequest } from './dhcp-request.ts';
import { Dnsmasq } from './dnsmasq.ts';

const subnet = parseSubnet('10.99.0.0/24');
const NODE = { mac: '52:54:00:00:00:01', ip: '10.99.0.7', name: 'node1' };
/** Addresses of the upper half. */
const LENT = 127;
const FLOOD = join(import.meta.dirname, 'dhcp-flood.fixture.ts');

testInNamespace(import.meta.filename, (state) => {
  const { paths, programs } = testPlatform(state);
  const heard: DhcpRequest[] = [];
  let dnsmasq: Dnsmasq;
  let ears: { close(): Promise<void> };
  const machines: Machine[] = [];
  const plugged = async (number: number) => {
    const machine = await Machine.plug(number, 'walt0', { mac: `52:54:00:00:00:0${number}` });
    machines.push(machine);
    return machine;
  };
  let node: Machine;
  let stranger: Machine;

  before(async () => {
    await Bridge.open('walt0', subnet);
    // Before and behind dnsmasq: neither keeps the other from its port.
    ears = await hearDhcp((request) => heard.push(request));
    dnsmasq = await Dnsmasq.open({ subnet, bridge: 'walt0', paths, programs, alone: true });
    await dnsmasq.setHosts([NODE]);
    node = await plugged(1);
    stranger = await plugged(2);
    await stranger.attempt('ip', 'route', 'add', 'default', 'dev', 'eth0');
  });
  after(async () => {
    for (const machine of machines) await machine.unplug();
    await ears.close();
    await programs.stop('dnsmasq');
    programs.close();
  });

  const request = (machine: Machine, ...options: string[]) =>
    machine.attempt('busybox', 'udhcpc', '-i', 'eth0', '-f', '-n', '-q', '-s', '/bin/true', ...options);

  it('hears what a machine says of itself, and lets dnsmasq answer', async () => {
    const { status, output } = await request(
      stranger,
      '-x',
      'hostname:printer',
      '-V',
      'ACME',
      '-x',
      '0x5d:0010',
    );
    assert.equal(status, 0, output);
    const [first] = heard;
    assert.deepEqual(first, {
      ...{ mac: '52:54:00:00:00:02', hostname: 'printer', vendorClass: 'ACME' },
      ...{ architecture: 16, userClass: null, uuid: null },
    });
    // A discover and a request.
    assert.ok(heard.length >= 2);
    const ports = await learnedPorts('walt0');
    assert.equal(ports.get('52:54:00:00:00:02'), 'machine2');
  });

  it('is heard again by a new server, beside the dnsmasq that runs', async () => {
    await ears.close();
    ears = await hearDhcp((request) => heard.push(request));
    heard.length = 0;
    assert.equal((await request(stranger)).status, 0);
    assert.ok(heard.length >= 2);
  });

  it('gives a node its address though all is lent to made-up machines, and while they go on by the thousand', async () => {
    const flood = stranger.start(process.execPath, FLOOD);
    const many = once(flood.stdout, 'data');
    try {
      const deadline = Date.now() + 60_000;
      while ((await dnsmasq.leases()).filter(({ mac }) => mac !== NODE.mac).length < LENT) {
        assert.ok(Date.now() < deadline, 'all addresses are lent');
        await delay(20);
      }
      await boundUnknown('walt0', [NODE.mac]);
      const [began, before] = [performance.now(), heard.length];
      const first = await request(node);
      await many;
      const again = await request(node);
      const seconds = (performance.now() - began) / 1000;
      const strangers = heard.slice(before).filter(({ mac }) => mac !== NODE.mac).length;
      for (const { output } of [first, again]) assert.match(output, /lease of 10\.99\.0\.7 obtained/);
      // Some were on their way when the bound was set.
      assert.ok(strangers <= BURST + RATE * (seconds + 1) + 1000, `${strangers} in ${seconds} s`);
    } finally {
      flood.kill('SIGKILL');
    }
    const newcomer = await request(await plugged(3), '-t', '1', '-T', '1');
    assert.match(newcomer.output, /no lease/);
  });
});
