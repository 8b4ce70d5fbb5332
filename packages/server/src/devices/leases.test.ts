import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { afterLeases, needless, newDevice } from './leases.ts';
import type { Device } from './store.ts';

const NOW = 1_800_000_000;
const MAC = 'b8:27:eb:00:00:01';
const IP = '10.73.128.5';
const heard = (seconds: number, more: Partial<Device> = {}) => ({
  ...newDevice(MAC, NOW - seconds),
  ...more,
});
const lease = (expires: number, ip = IP) => ({ mac: MAC, ip, expires: NOW + expires, hostname: null });

type Told = Partial<Pick<Device, 'ip' | 'name' | 'first' | 'last'>>;
const table: [
  what: string,
  known: Device[],
  leases: ReturnType<typeof lease>[],
  node: string | null,
  expected: Told[],
][] = [
  ['nothing', [], [], null, []],
  ['a machine that came unheard', [], [lease(3000)], null, [{ ip: IP, first: NOW - 600, last: NOW - 600 }]],
  ['what is known already', [heard(600, { ip: IP })], [lease(3000)], null, []],
  ['an address', [heard(5)], [lease(3595)], null, [{ ip: IP, last: NOW - 5 }]],
  ['another address', [heard(5, { ip: '10.73.128.4' })], [lease(3595)], null, [{ ip: IP }]],
  ['a renewal', [heard(3000, { ip: IP })], [lease(3500)], null, [{ first: NOW - 3000, last: NOW - 100 }]],
  ['the end of a lease', [heard(5000, { ip: IP })], [], null, [{ ip: null, last: NOW - 5000 }]],
  ['the longer lease of what was a node', [heard(50, { ip: IP })], [lease(80_000)], null, []],
  ['such a lease, unheard', [], [lease(80_000)], null, [{ first: NOW, last: NOW }]],
  [
    'a node, whatever was lent to it before',
    [heard(5, { ip: IP, name: 'printer' })],
    [lease(3000)],
    '10.73.0.2',
    [{ ip: '10.73.0.2', name: null, last: NOW - 5 }],
  ],
];
for (const [what, known, leases, node, expected] of table) {
  test(`leases tell of ${what}`, () => {
    const nodes = new Map(node === null ? [] : [[MAC, node]]);
    const changed = afterLeases(new Map(known.map((device) => [device.mac, device])), leases, nodes, NOW);
    assert.equal(changed.length, expected.length);
    for (const [index, fields] of expected.entries())
      assert.deepEqual({ ...changed[index], ...fields }, changed[index]);
  });
}

describe('what is forgotten', () => {
  const now = 100 * 86_400;
  const known = new Map(
    [
      { mac: 'a', name: null, last: now },
      { mac: 'b', name: null, last: now - 5 },
      { mac: 'c', name: null, last: now - 31 * 86_400 },
      { mac: 'named', name: 'switch', last: 0 },
      { mac: 'node', name: null, last: 0 },
    ].map((device) => [device.mac, { ...newDevice(device.mac, 0), ...device }]),
  );
  const nodes = new Map([['node', '10.0.0.1']]);
  for (const [limit, macs] of [
    [2, ['c']],
    [1, ['b', 'c']],
    [0, ['a', 'b', 'c']],
  ] as const)
    test(`with room for ${limit}: ${macs.join(' ')}`, () => {
      assert.deepEqual(needless(known, nodes, limit, now), macs);
    });
});
