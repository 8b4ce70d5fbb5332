import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NetworkSpec, parseNetworks } from './networks.ts';

const walt = { name: 'walt-net' };
const taken: [value: string, networks: NetworkSpec[]][] = [
  ['walt-net', [walt]],
  ['walt-net,home-net', [walt, { name: 'home-net' }]],
  ['b,a,walt-net', [walt, { name: 'b' }, { name: 'a' }]],
  [
    'walt-net,home-net[bw=100Mbps,lat=10ms]',
    [walt, { name: 'home-net', bandwidth: 100_000_000, latency: 10_000 }],
  ],
  [
    'walt-net[lat=300us],x2[lat=1ms,bw=1Gbps],y',
    [
      { name: 'walt-net', latency: 300 },
      { name: 'x2', latency: 1000, bandwidth: 1_000_000_000 },
      { name: 'y' },
    ],
  ],
  ['walt-net,a[BW=1gbps,LAT=1MS]', [walt, { name: 'a', bandwidth: 1e9, latency: 1000 }]],
  ['walt-net,thirteen-char', [walt, { name: 'thirteen-char' }]],
  ['walt-net,a[bw=100Gbps,lat=10000ms]', [walt, { name: 'a', bandwidth: 1e11, latency: 1e7 }]],
  ['walt-net,a,b,c,d,e,f,g', [walt, ...[...'abcdefg'].map((name) => ({ name }))]],
];
for (const [value, networks] of taken) {
  test(`${value} are networks`, () => assert.deepEqual(parseNetworks(value), networks));
}

const refused = [
  '',
  'none',
  'home-net',
  'walt-net,',
  ',walt-net',
  'walt-net,walt-net',
  'walt-net,a,a[bw=1Mbps]',
  'walt-net,a,b,c,d,e,f,g,h',
  'walt-net,Home',
  'walt-net,1net',
  'walt-net,-a',
  'walt-net,a-',
  'walt-net,a_b',
  'walt-net,a.b',
  'walt-net,a b',
  'walt-net,../a',
  'walt-net,a\n',
  'walt-net,ünet',
  'walt-net,thirteen-chars',
  'walt-net,a[]',
  'walt-net,a[',
  'walt-net,a]',
  'walt-net,a[[bw=1Mbps]]',
  'walt-net,a[bw=1Mbps][lat=1ms]',
  'walt-net,a[bw=1Mbps]b',
  'walt-net,a[bw=1Mbps,bw=2Mbps]',
  'walt-net,a[bw=1Mbps,]',
  'walt-net,a[bw=0Mbps]',
  'walt-net,a[bw=1]',
  'walt-net,a[bw=1ms]',
  'walt-net,a[lat=1Mbps]',
  'walt-net,a[lat=0.5ms]',
  'walt-net,a[lat=-1ms]',
  'walt-net,a[lat=10001ms]',
  'walt-net,a[bw=101Gbps]',
  'walt-net,a[bw=1e2Mbps]',
  'walt-net,a[bw=1constructor]',
  'walt-net,a[loss=1ms]',
  'walt-net, a',
];
for (const value of refused) {
  test(`${JSON.stringify(value)} are none`, () => assert.equal(parseNetworks(value), undefined));
}
