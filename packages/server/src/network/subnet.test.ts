import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isUserError } from '../platform/index.ts';
import { lowestFree, parseSubnet } from './subnet.ts';

describe('parseSubnet', () => {
  const table: [string, Omit<ReturnType<typeof parseSubnet>, 'cidr'> & { cidr?: string }][] = [
    [
      '10.73.0.0/16',
      {
        prefix: 16,
        netmask: '255.255.0.0',
        broadcast: '10.73.255.255',
        server: '10.73.0.1',
        permanent: { first: '10.73.0.2', last: '10.73.127.255' },
        dynamic: { first: '10.73.128.0', last: '10.73.255.254' },
      },
    ],
    [
      '192.168.7.16/28',
      {
        prefix: 28,
        netmask: '255.255.255.240',
        broadcast: '192.168.7.31',
        server: '192.168.7.17',
        permanent: { first: '192.168.7.18', last: '192.168.7.23' },
        dynamic: { first: '192.168.7.24', last: '192.168.7.30' },
      },
    ],
    [
      '200.1.2.3/8',
      {
        cidr: '200.0.0.0/8',
        prefix: 8,
        netmask: '255.0.0.0',
        broadcast: '200.255.255.255',
        server: '200.0.0.1',
        permanent: { first: '200.0.0.2', last: '200.127.255.255' },
        dynamic: { first: '200.128.0.0', last: '200.255.255.254' },
      },
    ],
  ];
  for (const [text, expected] of table) {
    it(text, () => assert.deepEqual(parseSubnet(text), { cidr: text, ...expected }));
  }
  for (const text of ['10.0.0.0/29', '10.0.0.0/4', '10.0.0.0/32']) {
    it(`refuses ${text}`, () =>
      assert.throws(
        () => parseSubnet(text),
        (error) => isUserError(error) && error.code === 'INVALID' && error.message.includes(text),
      ));
  }
});

describe('lowestFree', () => {
  const subnet = parseSubnet('10.0.0.0/28');
  const all = Array.from({ length: 13 }, (_, index) => `10.0.0.${index + 2}`);
  for (const [taken, expected] of [
    [[], '10.0.0.2'],
    [['10.0.0.2', '10.0.0.4'], '10.0.0.3'],
    [all.slice(0, 6), '10.0.0.8'],
    [all.filter((address) => address !== '10.0.0.14'), '10.0.0.14'],
  ] as const) {
    it(`${taken.length} taken: ${expected}`, () =>
      assert.equal(
        lowestFree(subnet, (address) => (taken as readonly string[]).includes(address)),
        expected,
      ));
  }
  it('says so when the subnet is full', () =>
    assert.throws(
      () => lowestFree(subnet, (address) => all.includes(address)),
      (error) => isUserError(error) && error.code === 'UNAVAILABLE' && error.message.includes('10.0.0.0/28'),
    ));
});
