import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AGENT_SILENCE,
  BOOT_RETRIES,
  BOOT_TIMEOUT,
  type BootWish,
  ORDER_PAUSE,
  ORDER_TIMEOUT,
  planBoot,
} from './boots.ts';
import { NOW, node, settled } from './plan.fixture.ts';
import type { Observed, Step } from './plan.ts';

const resetStep = (generation: number): Step => ({ kind: 'resetPower', id: 1, generation });
const orderStep: Step = { kind: 'orderReboot', id: 1, generation: 2 };
const due = { ...node, generation: 2 };
const attempt = (how: 'order' | 'reset', age: number, resets = 0, generation = 2, since = age) =>
  new Map([[1, { generation, how, at: NOW - age, since: NOW - since, resets }]]);
/** No agent waits; the last one was heard so many seconds ago. */
const silentFor = (seconds: number) => ({ agents: new Map(), heard: new Map([[1, NOW - seconds]]) });
const { agents: silent } = silentFor(0);
const asksAgain = new Map([[1, NOW - 1]]);
const physical = { ...due, machine: null, power: { reset: false } };
/** A physical node whose power somebody has. */
const powered = { ...physical, power: { reset: true } };
const none = new Set<number>();

const reboots: [string, BootWish, Partial<Observed>, Step[]][] = [
  ['is an order where the agent listens', due, {}, [orderStep]],
  ['is a reset where nobody listens', due, silentFor(AGENT_SILENCE + 1), [resetStep(2)]],
  ['waits for an agent that is between two questions', due, silentFor(1), []],
  ['that is hard does not wait for it', { ...due, hard: true }, silentFor(1), [resetStep(2)]],
  [
    'waits for agents that had no time yet to ask this server',
    due,
    { agents: silent, heard: new Map(), since: NOW - 1 },
    [],
  ],
  [
    'that was not heard is ordered again',
    due,
    { agents: asksAgain, attempts: attempt('order', ORDER_PAUSE) },
    [orderStep],
  ],
  [
    'that was not heard by a physical node is ordered again, however long that takes',
    physical,
    { machines: none, agents: asksAgain, attempts: attempt('order', 600, 0, 2, 3600) },
    [orderStep],
  ],
  [
    'that is heard again and again without effect becomes a reset',
    due,
    { agents: asksAgain, attempts: attempt('order', ORDER_PAUSE, 0, 2, ORDER_TIMEOUT + 1) },
    [resetStep(2)],
  ],
  [
    'that was ordered is not repeated to an agent that was answered',
    physical,
    { machines: none, attempts: attempt('order', 600), ...silentFor(600) },
    [],
  ],
  ['is a reset when it is to be hard', { ...due, hard: true }, {}, [resetStep(2)]],
  [
    'of a physical node is an order even when hard',
    { ...physical, hard: true },
    { machines: none },
    [orderStep],
  ],
  ['of a silent physical node waits for its power', physical, { agents: silent, machines: none }, []],
  ['that was just ordered is left alone', due, { attempts: attempt('order', 5) }, []],
  [
    'whose order had no effect becomes a reset',
    due,
    { attempts: attempt('order', ORDER_TIMEOUT + 1) },
    [resetStep(2)],
  ],
  ['that an older attempt was for starts anew', due, { attempts: attempt('reset', 1, 3, 1) }, [orderStep]],
  [
    'of a silent node whose power somebody has is a reset',
    powered,
    { agents: silent, machines: none },
    [resetStep(2)],
  ],
  [
    'of such a node is a reset when it is to be hard',
    { ...powered, hard: true },
    { machines: none },
    [resetStep(2)],
  ],
  ['of a machine that does not run is its start', due, { machines: none }, []],
];
for (const [name, desired, observed, expected] of reboots) {
  test(`a reboot ${name}`, () => {
    assert.deepEqual(planBoot(desired, { ...settled, ...observed }, NOW), expected);
  });
}

const unseen = { ...node, served: null, servedAt: null, bootedAt: null };
const stuck = { ...node, bootedAt: null, servedAt: NOW - BOOT_TIMEOUT - 1 };
const boots: [string, BootWish, Partial<Observed>, Step[]][] = [
  ['is reset when its time is over', stuck, {}, [resetStep(1)]],
  ['has time while it is young', { ...stuck, servedAt: NOW - 10 }, {}, []],
  ['has its time again after a reset', stuck, { attempts: attempt('reset', 10, 1, 1) }, []],
  ['is reset again', stuck, { attempts: attempt('reset', BOOT_TIMEOUT + 1, 1, 1) }, [resetStep(1)]],
  ['is given up', stuck, { attempts: attempt('reset', BOOT_TIMEOUT + 1, BOOT_RETRIES, 1) }, []],
  ['and was never served is reset', unseen, { agents: silent }, [resetStep(1)]],
  ['and was never served has time after a restart', unseen, { agents: silent, since: NOW - 1 }, []],
  ['has its time again after a restart of the server', stuck, { since: NOW - 1 }, []],
];
for (const [name, desired, observed, expected] of boots) {
  test(`a boot that does not come up ${name}`, () => {
    assert.deepEqual(planBoot(desired, { ...settled, ...observed }, NOW), expected);
  });
}
