import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Bridge } from './bridge.ts';
import { Machine, testInNamespace } from './namespace.fixture.ts';
import { answerCall, openPortmapper } from './portmapper.ts';
import { parseSubnet } from './subnet.ts';

const subnet = parseSubnet('10.99.0.0/24');

testInNamespace(import.meta.filename, () => {
  it('tells clients of NFS where to go, by UDP and TCP', async () => {
    await Bridge.open('walt0', subnet);
    await openPortmapper(subnet.server);
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
