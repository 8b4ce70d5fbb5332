import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isUserError } from '../platform/index.ts';
import { Bridge } from './bridge.ts';
import { ip, links } from './ip.ts';
import { testInNamespace } from './namespace.fixture.ts';
import { parseSubnet } from './subnet.ts';

testInNamespace(import.meta.filename, () => {
  const open = () => Bridge.open('walt0', parseSubnet('10.99.0.0/24'));
  const station = (number: number) => ({ mac: `52:54:00:00:00:0${number}`, ip: `10.99.0.${number + 1}` });
  const walt0 = async () => (await links()).find((link) => link.ifname === 'walt0');

  it('has the server’s address and no delay, and is taken as it is the second time', async () => {
    await open();
    const before = await walt0();
    await open();
    assert.deepEqual(await walt0(), before);
    assert.match(await ip('-brief', 'address', 'show', 'dev', 'walt0'), /10\.99\.0\.1\/24/);
    const details = await ip('-details', 'link', 'show', 'dev', 'walt0');
    assert.match(details, /forward_delay 0 /);
    assert.match(details, /stp_state 0 /);
  });

  it('makes taps once, lists them, and removes them', async () => {
    const bridge = await open();
    const mac = (await walt0())?.address;
    await bridge.ensureTap('vm2', station(2));
    await bridge.ensureTap('vm1', station(1));
    await bridge.ensureTap('vm1', station(1));
    assert.deepEqual(await bridge.taps(), ['vm1', 'vm2']);
    assert.equal((await walt0())?.address, mac);
    await bridge.removeTap('vm1');
    await bridge.removeTap('vm1');
    assert.deepEqual(await bridge.taps(), ['vm2']);
    await bridge.removeTap('vm2');
  });

  it('refuses to take another link for a tap', async () => {
    const bridge = await open();
    await ip('link', 'add', 'other', 'type', 'bridge');
    await assert.rejects(
      bridge.ensureTap('other', station(3)),
      (error) => isUserError(error) && error.code === 'CONFLICT' && error.message.includes('other'),
    );
    await assert.rejects(bridge.ensureTap('--help', station(3)), TypeError);
  });
});
