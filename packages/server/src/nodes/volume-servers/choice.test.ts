import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseServer, type ServerSeen } from './choice.ts';

const server = (host: string, load: number, ...has: string[]): ServerSeen => ({
  ...{ host, load },
  has: new Set(has),
});
const whole = [server('h1', 5, 'a', 'b'), server('h2', 2, 'a', 'b'), server('h3', 0, 'a')];

const table: [what: string, from: string, host: string | null, load: number, expected: string | null][] = [
  ['its own host’s', 'own-host', 'h1', 0, 'h1'],
  ['the server’s where its host has not all', 'own-host', 'h3', 0, null],
  ['the server’s where its host keeps none', 'own-host', 'h9', 0, null],
  ['the server’s where it runs on no host', 'own-host', null, 9, null],
  ['the server’s', 'server', 'h1', 9, null],
  ['a fixed host’s', 'h2', 'h1', 0, 'h2'],
  ['the server’s where that host has not all', 'h3', 'h1', 0, null],
  ['the least loaded of those that have all', 'least-loaded', null, 3, 'h2'],
  ['a host where the server has as many', 'least-loaded', null, 2, 'h2'],
  ['the server’s where it has the fewest', 'least-loaded', null, 1, null],
];
for (const [what, from, host, load, expected] of table) {
  test(`from ${from}: ${what}`, () => {
    assert.equal(chooseServer({ from, host, needed: ['a', 'b'] }, whole, load), expected);
  });
}

test('nobody waits for a copy', () => {
  assert.equal(chooseServer({ from: 'least-loaded', host: null, needed: ['c'] }, whole, 9), null);
  assert.equal(chooseServer({ from: 'h1', host: 'h1', needed: ['a'] }, [], 9), null);
});
