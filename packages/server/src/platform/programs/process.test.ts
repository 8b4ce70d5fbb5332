import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identifyProcess, isAlive, parseStat } from './process.ts';

describe('parseStat', () => {
  const tail = 'S 1 2 3 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 98765 1000 200';
  for (const name of ['node', 'a b', 'tmux: (x) y', ') R 1 2']) {
    it(`finds state and start time behind the name ${JSON.stringify(name)}`, () => {
      assert.deepEqual(parseStat(`42 (${name}) ${tail}`), { state: 'S', startTime: '98765' });
    });
  }
});

it('knows itself, and not a process of the same number that started at another time', () => {
  const self = identifyProcess(process.pid);
  assert.ok(self);
  assert.equal(isAlive(self), true);
  assert.equal(isAlive({ ...self, startTime: '1' }), false);
});

it('knows no process above the kernel’s limit', () => {
  assert.equal(identifyProcess(4_194_305), undefined);
});
