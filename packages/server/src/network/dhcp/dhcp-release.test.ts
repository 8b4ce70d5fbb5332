import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseSubnet } from '../subnet.ts';
import { releasePacket, staleLeases } from './dhcp-release.ts';

it('releasePacket says who, what and to whom', () => {
  const packet = releasePacket('10.0.0.1', { mac: '52:54:00:0a:0b:0c', ip: '10.0.0.2' });
  assert.deepEqual([...packet.subarray(0, 4)], [1, 1, 6, 0]);
  assert.deepEqual([...packet.subarray(12, 16)], [10, 0, 0, 2]);
  assert.deepEqual([...packet.subarray(28, 34)], [0x52, 0x54, 0, 0x0a, 0x0b, 0x0c]);
  assert.deepEqual([...packet.subarray(236)], [99, 130, 83, 99, 53, 1, 7, 54, 4, 10, 0, 0, 1, 255]);
});

describe('staleLeases', () => {
  const subnet = parseSubnet('10.0.0.0/24');
  const [a, b] = ['52:54:00:00:00:0a', '52:54:00:00:00:0b'];
  const table: [string, [string, string], [string, string][], boolean][] = [
    ['a node’s own', [a, '10.0.0.2'], [[a, '10.0.0.2']], false],
    ['of a removed node', [a, '10.0.0.2'], [], true],
    ['of an unknown machine', [a, '10.0.0.200'], [[b, '10.0.0.2']], false],
    ['of a machine that got a permanent address', [a, '10.0.0.200'], [[a, '10.0.0.2']], true],
    ['on another node’s address', [a, '10.0.0.200'], [[b, '10.0.0.200']], true],
  ];
  for (const [what, [mac, ip], hosts, stale] of table) {
    it(`${what}: ${stale ? 'ends' : 'stays'}`, () => {
      const leases = [{ mac, ip, expires: 0, hostname: null }];
      assert.deepEqual(
        staleLeases(
          subnet,
          leases,
          hosts.map(([mac, ip]) => ({ mac, ip })),
        ),
        stale ? leases : [],
      );
    });
  }
});
