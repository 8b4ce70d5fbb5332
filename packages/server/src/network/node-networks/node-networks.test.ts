import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { NetworkSpec } from '@walt/contract';
import { isUserError, run } from '../../platform/index.ts';
import { Bridge } from '../bridge.ts';
import { arp, ethernet, Guest, ipv4, udp } from '../frames.fixture.ts';
import { ip, links } from '../ip.ts';
import { testInNamespace } from '../namespace.fixture.ts';
import { parseSubnet } from '../subnet.ts';
import { NodeNetworks } from './node-networks.ts';

const SERVER = '10.99.0.1';
const home: NetworkSpec = { name: 'home-net' };
const lab: NetworkSpec = { name: 'lab' };
const MACS = ['06:00:00:00:00:01', '06:00:00:00:00:02', '06:00:00:00:00:03'] as const;
const [FIRST, SECOND, THIRD] = MACS;

testInNamespace(import.meta.filename, () => {
  let networks: NodeNetworks;
  let [first, second, third]: Guest[] = [];
  let sent = 0;
  const guest = (one: Guest | undefined) => one ?? assert.fail('no guest');
  /** From this address, to all; no two are alike. */
  const word = (mac: string, size = 20) =>
    ethernet(
      mac,
      0x0800,
      ipv4('192.0.2.1', '192.0.2.2', 17, udp(1, 1, Buffer.from(`word ${sent++}`.padEnd(size)))),
    );
  const names = async () => (await links()).map(({ ifname }) => ifname);

  before(async () => {
    await Bridge.open('walt0', parseSubnet('10.99.0.0/24'));
    networks = await NodeNetworks.open();
    await networks.connect('vm1.aaaaaa', home, FIRST);
    await networks.connect('vm2.aaaaaa', home, SECOND);
    await networks.connect('vm3.bbbbbb', lab, THIRD);
    [first, second, third] = [
      await Guest.plug('vm1.aaaaaa'),
      await Guest.plug('vm2.aaaaaa'),
      await Guest.plug('vm3.bbbbbb'),
    ];
  });
  after(async () => {
    for (const one of [first, second, third]) await one?.[Symbol.asyncDispose]();
  });

  it('joins the nodes that name it, and no others', async () => {
    const [mine, last] = [word(FIRST), word(FIRST)];
    guest(first).send(mine);
    await guest(second).until(mine);
    // What was on its way to the third one comes before this.
    await networks.connect('vm4.bbbbbb', lab, FIRST);
    const fourth = await Guest.plug('vm4.bbbbbb');
    fourth.send(last);
    assert.deepEqual(await guest(third).until(last), []);
    await fourth[Symbol.asyncDispose]();
    await networks.remove(['vm4.bbbbbb']);
  });

  it('takes from a node what has its own hardware address only', async () => {
    const [stolen, last] = [word(SECOND), word(FIRST)];
    guest(first).send(stolen);
    guest(first).send(last);
    assert.deepEqual(await guest(second).until(last), []);
  });

  it('does not lead to the server', async () => {
    const question = () => ethernet(FIRST, 0x0806, arp(FIRST, '10.99.0.77', SERVER));
    const answered = async () => {
      const [asked, last] = [question(), word(SECOND)];
      guest(first).send(asked);
      await guest(second).until(asked);
      guest(second).send(last);
      return (await guest(first).until(last)).length > 0;
    };
    assert.equal(await answered(), false);
    await run(['nft', 'delete', 'table', 'netdev', 'walt-n-home-net']);
    assert.equal(await answered(), true, 'it would answer, were it not for the rules');
    await networks.connect('vm1.aaaaaa', home, FIRST);
    assert.equal(await answered(), false, 'and a start of a node brings them back');
    assert.equal((await ip('-brief', '-6', 'address', 'show', 'dev', 'n-home-net')).trim(), '');
  });

  it('gives a node no more in a second than it is to get, until that is taken back', async () => {
    await networks.connect('vm2.aaaaaa', { ...home, bandwidth: 1e6 }, SECOND);
    const frames = Array.from({ length: 20 }, () => word(FIRST, 1400));
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    const began = performance.now();
    for (const frame of frames) guest(first).send(frame);
    await guest(second).until(frames.at(-1) ?? assert.fail());
    const seconds = (performance.now() - began) / 1000;
    // A burst of 4000 bytes goes at once; a slow machine may take as long as it likes.
    assert.ok(seconds > (0.95 * (bytes - 4000) * 8) / 1e6, `${bytes} bytes took ${seconds} s`);
    await networks.connect('vm2.aaaaaa', home, SECOND);
    assert.doesNotMatch(await run(['tc', 'qdisc', 'show', 'dev', 'vm2.aaaaaa']), /tbf/);
  });

  it('delays where the kernel can, and else is refused before anything is changed', async () => {
    const late = { ...home, latency: 200_000 };
    const before = await names();
    const refusal = await networks.require([{ name: 'walt-net' }, late]).catch((error: unknown) => error);
    assert.deepEqual(await names(), before);
    if (refusal !== undefined) {
      assert.ok(isUserError(refusal), String(refusal));
      assert.match(refusal.message, /cannot have networks with lat: its kernel has no "netem"/);
      assert.match(refusal.hint, /Leave lat out/);
      return;
    }
    await networks.connect('vm2.aaaaaa', late, SECOND);
    const [began, one] = [performance.now(), word(FIRST)];
    guest(first).send(one);
    await guest(second).until(one);
    assert.ok(performance.now() - began >= 200);
    await networks.connect('vm2.aaaaaa', home, SECOND);
  });

  it('asks nothing of the machine for walt-net alone, and takes what the kernel has', async () => {
    await networks.require([{ name: 'walt-net' }]);
    await networks.require([{ name: 'walt-net', bandwidth: 1e6 }, home]);
    assert.ok(!(await names()).includes('walt-probe'));
  });

  it('is adopted by another server, with all that leads to it', async () => {
    await ip('link', 'add', 'name', 'n-empty', 'type', 'bridge');
    await ip('tuntap', 'add', 'dev', 'vm9.cccccc', 'mode', 'tap');
    await ip('tuntap', 'add', 'dev', 'vm9', 'mode', 'tap');
    const other = await NodeNetworks.open();
    assert.deepEqual(
      (await other.look()).map(({ tap, node, network, isUsed }) => [tap, node, network, isUsed]).sort(),
      [
        ['vm1.aaaaaa', 1, 'home-net', true],
        ['vm2.aaaaaa', 2, 'home-net', true],
        ['vm3.bbbbbb', 3, 'lab', true],
        ['vm9.cccccc', 9, null, false],
      ],
    );
    assert.ok(!(await names()).includes('n-empty'), 'a network without nodes goes');
    await other.removeNode(9);
    const [mine] = [word(FIRST)];
    guest(first).send(mine);
    await guest(second).until(mine);
    networks = other;
  });

  it('goes with the last node on it', async () => {
    await networks.removeNode(1);
    assert.ok((await names()).includes('n-home-net'));
    await networks.remove(['vm2.aaaaaa', 'vm2.aaaaaa', 'vm7.dddddd']);
    await networks.removeNode(3);
    assert.deepEqual(await networks.look(), []);
    assert.deepEqual(
      (await names()).filter((name) => /^(?:n-|vm\d+\.)/.test(name)),
      [],
    );
    assert.doesNotMatch(await run(['nft', 'list', 'tables']), /walt-(?:n-|vm\d+\.|probe)/);
  });
});
