import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Liveness, nodeState, SILENCE_LIMIT } from './state.ts';

const NOW = 1000;
const booted: Liveness = {
  generation: 3,
  served: 3,
  servedAt: 800,
  bootedAt: 830,
  created: 100,
  connected: true,
  lastHeard: 990,
  failedAt: null,
  powered: true,
  succeededAt: null,
};

const table: [string, Partial<Liveness>, string, number | null][] = [
  ['its agent is connected', {}, 'booted', 830],
  ['its agent is between two questions', { connected: false, lastHeard: NOW - 1 }, 'booted', 830],
  ['its agent is silent', { connected: false, lastHeard: NOW - SILENCE_LIMIT - 1 }, 'unreachable', 989],
  ['its boot was served only', { bootedAt: null }, 'booting', 800],
  ['a newer boot is ordered', { generation: 4 }, 'booting', 800],
  ['its boot could not go on', { bootedAt: null, failedAt: 850 }, 'failed', 850],
  ['a newer boot was tried in vain', { generation: 4, failedAt: 950 }, 'failed', 950],
  ['its machine is off, whatever became of its boot', { powered: false, failedAt: 850 }, 'off', null],
  ['its machine is off', { powered: false }, 'off', null],
  ['another machine runs since, whoever listens', { succeededAt: 960 }, 'booting', 960],
  ['it was just made', { served: null, servedAt: null, bootedAt: null }, 'booting', 100],
];
for (const [when, change, state, since] of table) {
  test(`a node is ${state} when ${when}`, () => {
    assert.deepEqual(nodeState({ ...booted, ...change }, NOW), { state, since });
  });
}
