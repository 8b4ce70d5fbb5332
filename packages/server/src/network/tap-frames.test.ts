import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run } from '../platform/index.ts';
import { Bridge } from './bridge.ts';
import { Guest, hex, ipv4, udp } from './frames.fixture.ts';
import { ip } from './ip.ts';
import { testInNamespace } from './namespace.fixture.ts';
import { parseSubnet } from './subnet.ts';
import { drop, frame, MINE, OTHER, pass } from './tap-frames.fixture.ts';
import { linkLocal } from './tap-frames.ts';

describe('the IPv6 address of an adapter', () => {
  it('follows from its hardware address', () => {
    // The example of RFC 4291, appendix A, and ours above.
    assert.equal(linkLocal('34:56:78:9a:bc:de'), 'fe80::3656:78ff:fe9a:bcde');
    assert.equal(linkLocal(MINE.mac), 'fe80::5054:ff:fe12:3456');
  });
});

testInNamespace(import.meta.filename, (state) => {
  let bridge: Bridge;
  let sender: Guest;
  let receiver: Guest;
  let sent = 0;

  before(async () => {
    bridge = await Bridge.open('walt0', parseSubnet('10.99.0.0/24'));
    await bridge.ensureTap('vm1', MINE);
    await bridge.ensureTap('vm2', OTHER);
    sender = await Guest.plug('vm1');
    receiver = await Guest.plug('vm2');
  });
  after(async () => {
    await sender[Symbol.asyncDispose]();
    await receiver[Symbol.asyncDispose]();
  });

  /** Frames of the sender that reach the other tap: those before one that surely does. */
  async function arrivals(...frames: Buffer[]): Promise<Buffer[]> {
    const last = frame(0x0800, ipv4(MINE.ip, OTHER.ip, 17, udp(1, 1, Buffer.from(`last ${sent++}`))));
    for (const one of [...frames, last]) sender.send(one);
    const came = await receiver.until(last);
    // What the server itself says now and then.
    return came.filter(
      (one) => one.subarray(6, 12).equals(hex(MINE.mac)) || frames.some((f) => f.equals(one)),
    );
  }

  it('is on, as the kernel tells', async () => {
    assert.equal(bridge.unguarded, undefined);
    assert.match(await run(['nft', 'list', 'table', 'netdev', 'walt-vm1']), /device "vm1".*policy drop/s);
  });

  for (const [what, one] of pass) {
    it(`passes ${what}`, async () => assert.deepEqual(await arrivals(one), [one]));
  }
  for (const [what, one] of drop) {
    it(`drops ${what}`, async () => assert.deepEqual(await arrivals(one), []));
  }

  it('drops frames that would pass without it', async () => {
    await run(['nft', 'delete', 'table', 'netdev', 'walt-vm1']);
    try {
      const tagged = drop.map(([, one]) => one).filter((one) => one.length >= 60);
      assert.equal((await arrivals(...tagged)).length, tagged.length);
    } finally {
      await bridge.ensureTap('vm1', MINE);
    }
    assert.deepEqual(await arrivals(...drop.map(([, one]) => one)), []);
  });

  it('holds for a tap that is made anew, and is gone with it', async () => {
    await bridge.ensureTap('vm3', OTHER);
    await bridge.removeTap('vm3');
    await bridge.removeTap('vm3');
    assert.doesNotMatch(await run(['nft', 'list', 'tables']), /walt-vm3/);
    await bridge.ensureTap('vm3', MINE);
    const rules = await run(['nft', 'list', 'table', 'netdev', 'walt-vm3']);
    assert.ok(rules.includes(MINE.mac) && !rules.includes(OTHER.mac), 'those of its last node are gone');
    await bridge.removeTap('vm3');
  });

  it('tells when the machine cannot do that, and plugs nodes in all the same', async () => {
    const { PATH } = process.env;
    const folder = join(state, 'without-nft');
    await mkdir(folder);
    for (const program of ['ip', 'setpriv']) {
      const path = await run(['sh', '-c', 'command -v -- "$1"', 'sh', program]);
      await symlink(path.trim(), join(folder, program));
    }
    process.env.PATH = folder;
    try {
      await bridge.ensureTap('vm4', OTHER);
      assert.match(bridge.unguarded ?? '', /nft/);
    } finally {
      process.env.PATH = PATH;
    }
    assert.match(await ip('link', 'show', 'dev', 'vm4'), /master walt0/);
    await bridge.ensureTap('vm4', OTHER);
    assert.equal(bridge.unguarded, undefined);
    await bridge.removeTap('vm4');
  });
});
