import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Tunnel, Ways } from './ways.ts';

test('a host whose name is not answered for a while keeps its way', async () => {
  const names = new Map([['h1.example', '192.0.2.1']]);
  const told: unknown[] = [];
  let made: readonly Tunnel[] = [];
  const ways = new Ways({
    platform: 'lab',
    setTunnels: async (tunnels) => {
      made = tunnels;
    },
    resolve: async (name) => {
      const address = names.get(name);
      if (address === undefined) throw new Error('getaddrinfo EAI_AGAIN');
      return address;
    },
    log: { warn: (...words) => told.push(words) },
  });
  const ends = async (...hosts: { name: string; address: string }[]) => {
    await ways.open(hosts);
    return made.map(({ host, address }) => [host, address]);
  };
  const one = { name: 'h1', address: 'h1.example' };
  const others = [
    { name: 'h2', address: '192.0.2.2' },
    { name: 'h3', address: 'h3.example' },
  ];
  const both = [
    ['h1', '192.0.2.1'],
    ['h2', '192.0.2.2'],
  ];
  assert.deepEqual(await ends(one, ...others), both);
  names.clear();
  for (let look = 0; look < 3; look += 1) assert.deepEqual(await ends(one, ...others), both);
  // Once for each host, not at each look.
  assert.equal(told.length, 2);
  names.set('h1.example', '192.0.2.7');
  assert.deepEqual(await ends(one), [['h1', '192.0.2.7']]);
  assert.deepEqual(await ends(), []);
  names.clear();
  assert.deepEqual(await ends(one), []);
});
