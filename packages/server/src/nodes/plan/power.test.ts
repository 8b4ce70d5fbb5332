import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planPower, planPowerOn, planReset } from './power.ts';

const node = { id: 1, generation: 2 };
const resetStep = { kind: 'resetPower', ...node };
const onStep = { kind: 'powerOn', ...node };
const cases: [power: { reset: boolean; on: boolean }, reset: object[], on: object[], either: object[]][] = [
  [{ reset: true, on: true }, [resetStep], [onStep], [resetStep]],
  [{ reset: false, on: true }, [], [onStep], [onStep]],
  [{ reset: true, on: false }, [resetStep], [], [resetStep]],
  [{ reset: false, on: false }, [], [], []],
];

test('a node’s power is switched by whoever can', () => {
  for (const [power, reset, on, either] of cases) {
    const wish = { ...node, power };
    assert.deepEqual([planReset(wish), planPowerOn(wish), planPower(wish)], [reset, on, either]);
  }
});
