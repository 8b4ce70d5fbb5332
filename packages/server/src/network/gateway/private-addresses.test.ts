import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Link } from '../ip.ts';
import { type HostRoute, privateAddresses } from './private-addresses.ts';

const link = (ifname: string, info_kind?: string, more: Partial<Link> = {}): Link => ({
  ...{ ifname, link_type: 'ether', altnames: [], flags: ['UP'], mtu: 1500 },
  ...(info_kind === undefined ? {} : { linkinfo: { info_kind } }),
  ...more,
});
const local = (dst: string, dev: string): HostRoute => ({ type: 'local', dst, dev });
const eth0 = link('eth0');

/** Networks beside those that are never reached from anywhere. */
const rows: [what: string, routes: HostRoute[], links: Link[], found: string[]][] = [
  ['nothing of a machine without addresses', [], [eth0], []],
  [
    'its own addresses, not its network',
    [
      { dst: 'default', gateway: '192.168.1.1', dev: 'eth0' },
      { dst: '192.168.1.0/24', dev: 'eth0' },
      local('192.168.1.7', 'eth0'),
      { type: 'broadcast', dst: '192.168.1.255', dev: 'eth0' },
    ],
    [eth0],
    ['192.168.1.255', '192.168.1.7'],
  ],
  [
    'a bridge of containers',
    [{ dst: '172.17.0.0/16', dev: 'docker0' }, local('172.17.0.1', 'docker0')],
    [eth0, link('docker0', 'bridge'), link('veth1', 'veth', { master: 'docker0' })],
    ['172.17.0.0/16', '172.17.0.1'],
  ],
  [
    'a bridge of virtual machines, that has a tap or nothing',
    [
      { dst: '192.168.122.0/24', dev: 'virbr0' },
      { dst: '192.168.123.0/24', dev: 'virbr1' },
    ],
    [link('virbr0', 'bridge'), link('vnet0', 'tun', { master: 'virbr0' }), link('virbr1', 'bridge')],
    ['192.168.122.0/24', '192.168.123.0/24'],
  ],
  [
    'one container behind a link of its own',
    [{ dst: '10.1.2.3', dev: 'cali1' }],
    [link('cali1', 'veth')],
    ['10.1.2.3'],
  ],
  [
    'not a bridge with an adapter in it',
    [{ dst: '192.168.1.0/24', dev: 'br0' }],
    [link('br0', 'bridge'), link('eth0', undefined, { master: 'br0' }), link('v', 'veth', { master: 'br0' })],
    [],
  ],
  [
    'not a bridge with a bond or a VLAN in it',
    [
      { dst: '192.168.1.0/24', dev: 'br0' },
      { dst: '192.168.2.0/24', dev: 'br1' },
    ],
    [
      ...[link('br0', 'bridge'), link('bond0', 'bond', { master: 'br0' })],
      ...[link('br1', 'bridge'), link('eth0.5', 'vlan', { master: 'br1' })],
    ],
    [],
  ],
  [
    'not the network of a container that is the server',
    [
      { dst: 'default', gateway: '10.0.3.1', dev: 'eth0' },
      { dst: '10.0.3.0/24', dev: 'eth0' },
    ],
    [link('eth0', 'veth')],
    [],
  ],
  [
    'not what is behind a tunnel',
    [
      { dst: '10.8.0.0/24', dev: 'wg0' },
      { dst: '10.9.0.0/24', gateway: '10.9.0.1', dev: 'tun0' },
    ],
    [link('wg0', 'wireguard'), link('tun0', 'tun')],
    [],
  ],
  [
    'routers on several links',
    [
      {
        dst: 'default',
        nexthops: [
          { dev: 'v0', gateway: '10.0.0.1' },
          { dev: 'v1', gateway: '10.0.1.1' },
        ],
      },
      { dst: '10.0.0.0/24', dev: 'v0' },
      { dst: '10.0.1.0/24', dev: 'v1' },
    ],
    [link('v0', 'veth'), link('v1', 'veth')],
    [],
  ],
  [
    'a router that is reached by IPv6',
    [
      { dst: 'default', via: { host: 'fe80::1' }, dev: 'v0' },
      { dst: '10.0.0.0/24', dev: 'v0' },
    ],
    [link('v0', 'veth')],
    [],
  ],
];

describe('private addresses of a machine', () => {
  const always = privateAddresses([], []);
  it('are always those that never leave one', () => {
    for (const network of ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'])
      assert.ok(always.includes(network), network);
  });
  for (const [what, routes, links, found] of rows) {
    it(`are ${what}`, () =>
      assert.deepEqual(
        privateAddresses(routes, links).filter((one) => !always.includes(one)),
        found,
      ));
  }
});
