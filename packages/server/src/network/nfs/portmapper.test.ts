import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { defaultLimits } from '../../platform/index.ts';
import { Bridge } from '../bridge.ts';
import { Machine, testInNamespace } from '../namespace.fixture.ts';
import { parseSubnet } from '../subnet.ts';
import { answerCall, openPortmapper } from './portmapper.ts';

const subnet = parseSubnet('10.99.0.0/24');

testInNamespace(import.meta.filename, (state) => {
  it('tells clients of NFS where to go, by UDP and TCP', async () => {
    await Bridge.open('walt0', subnet);
    const portmapper = await openPortmapper(subnet.server);
    const machine = await Machine.plug(1, 'walt0', { ip: '10.99.0.2/24' });
    try {
      for (const transport of ['udp', 'tcp']) {
        const { status, output } = await machine.attempt(
          'rpcinfo',
          '-T',
          transport,
          subnet.server,
          '100000',
          '4',
        );
        assert.equal(status, 0, output);
      }
      const listed = await machine.attempt('rpcinfo', '-p', subnet.server);
      assert.equal(listed.status, 0, listed.output);
    } finally {
      await machine.unplug();
      await portmapper.close();
    }
  });

  it('survives what nobody can be answered to, and who says nothing', async () => {
    await Bridge.open('walt0', subnet);
    const limits = { ...defaultLimits().machines, each: 4 };
    const portmapper = await openPortmapper(subnet.server, limits);
    const machine = await Machine.plug(2, 'walt0', { ip: '10.99.0.3/24' });
    try {
      // A UDP header from port 0 to port 111 without a checksum, in front of a call of GETPORT.
      const text = call(7, 0, 2, 100_000, 2, 3, 0, 0, 0, 0, 100_005, 3, 6, 0);
      const header = Buffer.from([0, 0, 0, 111, 0, 8 + text.length, 0, 0]);
      const file = join(state, 'datagram');
      await writeFile(file, Buffer.concat([header, text]));
      const raw = await machine.attempt('socat', '-u', `FILE:${file}`, `IP4-SENDTO:${subnet.server}:17`);
      assert.equal(raw.status, 0, raw.output);
      // Ten connections that say nothing: four are let in. Then it still answers, by UDP at least.
      const held = `for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 1 | socat -u - TCP:${subnet.server}:111) & done; wait`;
      await machine.attempt('sh', '-c', held);
      for (const transport of ['udp', 'tcp']) {
        const { status, output } = await machine.attempt(
          'rpcinfo',
          '-T',
          transport,
          subnet.server,
          '100000',
          '4',
        );
        assert.equal(status, 0, output);
      }
    } finally {
      await machine.unplug();
      await portmapper.close();
    }
  });

  const call = (...words: number[]) => {
    const bytes = Buffer.alloc(4 * words.length);
    for (const [index, word] of words.entries()) bytes.writeUInt32BE(word, 4 * index);
    return bytes;
  };
  const ask = (...words: number[]) => answerCall(call(...words), subnet.server)?.toString('hex');
  const accepted = (...words: number[]) => call(7, 1, 0, 0, 0, ...words).toString('hex');

  it('answers what RFC 1833 says, and nothing to what is no call', () => {
    assert.equal(ask(7, 0, 2, 100_000, 2, 3, 0, 0, 0, 0, 100_005, 3, 6, 0), accepted(0, 20_048));
    assert.equal(ask(7, 0, 2, 100_000, 2, 3, 0, 0, 0, 0, 100_021, 3, 6, 0), accepted(0, 0));
    assert.equal(ask(7, 0, 2, 100_000, 9, 3, 0, 0, 0, 0), accepted(2, 2, 4));
    assert.equal(ask(7, 0, 2, 100_003, 3, 0, 0, 0, 0, 0), accepted(1));
    assert.equal(ask(7, 0, 2, 100_000, 2, 99, 0, 0, 0, 0), accepted(3));
    const address = Buffer.from('10.99.0.1.8.1\0\0\0').toString('hex');
    assert.equal(ask(7, 0, 2, 100_000, 4, 3, 0, 0, 0, 0, 100_003), accepted(0, 13) + address);
    for (const words of [[], [7], [7, 1, 2, 100_000, 2, 3], [7, 0, 2, 100_000, 2, 3, 0, 0xffff_fff0, 0]]) {
      assert.equal(ask(...words), undefined);
    }
  });
});
