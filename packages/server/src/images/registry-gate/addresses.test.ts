import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { isInternal } from './addresses.ts';

/** RFC 6890, RFC 4291, RFC 6052. */
const internal = [
  ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.0.9', '169.254.169.254', '172.16.0.1'],
  ...['172.31.255.255', '192.168.1.1', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
  ...['::', '::1', '::7f00:1', 'fc00::1', 'fdff::1', 'fe80::1', 'fe80::1%eth0', 'fec0::1', 'ff02::1'],
  ...['::ffff:127.0.0.1', '::ffff:7f00:1', '64:ff9b::7f00:1', '64:ff9b::10.0.0.1', '64:ff9b:1::1'],
  ...['2002:7f00:1::', '2001::1', 'registry.example', '', '127.1'],
];
const outside = [
  ...['1.1.1.1', '8.8.8.8', '172.15.0.1', '172.32.0.1', '192.167.0.1', '100.128.0.1', '223.255.255.255'],
  ...['2606:4700::1111', '2a01::1', '64:ff9b::8.8.8.8', '::ffff:8.8.8.8'],
];

for (const address of internal) test(`${address} is ours`, () => assert.ok(isInternal(address, new Set())));
for (const address of outside) {
  test(`${address} is elsewhere`, () => assert.ok(!isInternal(address, new Set())));
}

test("this machine's own addresses are ours, whatever they are", () => {
  assert.ok(isInternal('8.8.8.8', new Set(['8.8.8.8'])));
  const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  for (const address of own) assert.ok(isInternal(address), address);
});
