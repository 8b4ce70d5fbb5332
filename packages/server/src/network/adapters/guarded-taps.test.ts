import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run } from '../../platform/index.ts';
import { Bridge } from '../bridge.ts';
import { arp, ethernet, Guest } from '../frames.fixture.ts';
import { ipIn } from '../ip.ts';
import { testInNamespace } from '../namespace.fixture.ts';
import { Segments } from '../segments.ts';
import { parseSubnet } from '../subnet.ts';
import { drop, frame, MINE, OTHER, pass } from '../tap-frames.fixture.ts';
import { releaseAdapters } from './release.ts';

const subnet = parseSubnet('10.99.0.0/24');

testInNamespace(import.meta.filename, (state) => {
  const own = process.env.WALT_TEST_NAMESPACE ?? '';
  const host = `${own}-1`;
  const file = join(state, 'adapters.json');
  let segments: Segments;
  let virtual: Guest;
  let board: Guest;

  // A virtual node on its tap; an adapter of the host; a switch at its other end, and a board on it.
  before(async () => {
    const bridge = await Bridge.open('walt0', subnet);
    await run(['ip', 'netns', 'add', host]);
    const here = (...words: string[]) => ipIn(undefined, ...words);
    await here('link', 'add', 'switch0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
    await here('link', 'set', 'switch0', 'up');
    await here('link', 'add', 'port0', 'up', 'type', 'veth', 'peer', 'name', 'lab0', 'netns', host);
    await here('link', 'set', 'port0', 'master', 'switch0');
    await here('tuntap', 'add', 'dev', 'board0', 'mode', 'tap');
    await here('link', 'set', 'board0', 'master', 'switch0', 'up');
    segments = await Segments.open({
      network: {
        ...{ namespace: own, subnet: subnet.cidr, acceptDhcpServers: [] },
        interfaces: [{ name: 'lab0', link: 'lab0', acceptInUse: false }],
      },
      ...{ host, paths: { adapters: file }, bridge, server: subnet.server },
    });
    await bridge.ensureTap('vm1', MINE);
    assert.equal(bridge.unguarded, undefined);
    virtual = await Guest.plug('vm1');
    board = await Guest.plug('board0');
  });
  after(async () => {
    await virtual?.[Symbol.asyncDispose]();
    await board?.[Symbol.asyncDispose]();
    await segments?.close();
    await releaseAdapters(own, file, host);
    await run(['ip', 'netns', 'delete', host]);
  });

  /** Marks the end of what was sent before it: an ARP question for an address that nobody else asks for. */
  let marks = 0;
  const mark = () => {
    marks += 1;
    return frame(0x0806, arp(MINE.mac, MINE.ip, `10.99.0.${100 + (marks % 100)}`));
  };

  const arrived = async (sent: Buffer) => {
    const end = mark();
    virtual.send(sent);
    virtual.send(end);
    return (await board.until(end)).some((one) => one.equals(sent));
  };

  describe('what a virtual node sends in its own name comes to the real segment', () => {
    for (const [what, sent] of pass) it(what, async () => assert.equal(await arrived(sent), true));
  });
  describe('nothing else does', () => {
    for (const [what, sent] of drop) it(what, async () => assert.equal(await arrived(sent), false));
  });

  it('what a board sends comes to the virtual node', async () => {
    const sent = ethernet(OTHER.mac, 0x0806, arp(OTHER.mac, OTHER.ip, MINE.ip));
    board.send(sent);
    await virtual.until(sent);
  });
});
