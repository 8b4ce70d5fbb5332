import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AGENT_SILENCE,
  type Attempt,
  type BootTrouble,
  type BootWish,
  ORDER_PAUSE,
  ORDER_TIMEOUT,
  planBoot,
  troubleOf,
} from './boots.ts';
import type { RunningMachine } from './machines.ts';
import { NOW, node, settled } from './plan.fixture.ts';
import type { Observed, Step } from './plan.ts';

const { timeout: BOOT_TIMEOUT, retries: BOOT_RETRIES } = node;
const resetStep = (generation: number): Step => ({ kind: 'resetPower', id: 1, generation });
const onStep: Step = { kind: 'powerOn', id: 1, generation: 2 };
const orderStep: Step = { kind: 'orderReboot', id: 1, generation: 2 };
const due = { ...node, generation: 2 };
const attempt = (how: Attempt['how'], age: number, switched = 0, generation = 2, since = age) =>
  new Map<number, Attempt>([[1, { generation, how, at: NOW - age, since: NOW - since, switched }]]);
/** No agent waits; the last one was heard so many seconds ago. */
const silentFor = (seconds: number) => ({ agents: new Map(), heard: new Map([[1, NOW - seconds]]) });
const { agents: silent } = silentFor(0);
const asksAgain = new Map([[1, NOW - 1]]);
const physical = { ...due, machine: null, power: { reset: false, on: false } };
/** A physical node whose power somebody has. */
const powered = { ...physical, power: { reset: true, on: true } };
const wakeable = { ...physical, power: { reset: false, on: true } };
/** Ordered before this server began to watch. */
const older = { orderedAt: NOW - 2000 };
const none = new Map<number, RunningMachine>();

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
  ['that an older attempt was for starts anew', due, { attempts: attempt('power', 1, 3, 1) }, [orderStep]],
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
  [
    'of a silent node that can only be switched on is that',
    wakeable,
    { ...silentFor(600), machines: none },
    [onStep],
  ],
  ['of such a node is an order while it listens', { ...wakeable, hard: true }, {}, [orderStep]],
  [
    'that a board was told leaves it the time that its firmware takes',
    powered,
    { ...silentFor(ORDER_TIMEOUT + 1), attempts: attempt('order', ORDER_TIMEOUT + 1), machines: none },
    [],
  ],
  [
    'that a board was told, and that came to nothing, becomes a reset',
    powered,
    { ...silentFor(600), attempts: attempt('order', BOOT_TIMEOUT + 1), machines: none },
    [resetStep(2)],
  ],
  [
    'that a board hears without effect becomes a reset',
    powered,
    { agents: asksAgain, attempts: attempt('order', ORDER_PAUSE, 0, 2, ORDER_TIMEOUT + 1), machines: none },
    [resetStep(2)],
  ],
  [
    'that an earlier server may have told a board has its time',
    { ...powered, ...older },
    { agents: silent, heard: new Map(), since: NOW - BOOT_TIMEOUT, machines: none },
    [],
  ],
  [
    'that an earlier server may have begun by the power has its time',
    { ...powered, ...older, hard: true },
    { agents: silent, heard: new Map(), since: NOW - BOOT_TIMEOUT, machines: none },
    [],
  ],
  [
    'that an earlier server did not begin by the power is a reset as soon as the agent asks',
    { ...powered, ...older, hard: true },
    { since: NOW - 2, machines: none },
    [resetStep(2)],
  ],
  [
    'that an earlier server left undone is a reset when that time is over',
    { ...powered, ...older },
    { agents: silent, heard: new Map(), since: NOW - BOOT_TIMEOUT - 1, machines: none },
    [resetStep(2)],
  ],
  [
    'that an earlier server left undone is an order as soon as the agent asks',
    { ...powered, ...older },
    { since: NOW - 2, machines: none },
    [orderStep],
  ],
];
for (const [name, desired, observed, expected] of reboots) {
  test(`a reboot ${name}`, () => {
    assert.deepEqual(planBoot(desired, { ...settled, ...observed }, NOW), expected);
  });
}

const unseen = { ...node, served: null, servedAt: null, bootedAt: null };
const newcomer = { ...unseen, machine: null, power: powered.power };
const stuck = { ...node, bootedAt: null, servedAt: NOW - BOOT_TIMEOUT - 1 };
/** Another machine than the one that has booted, for so many seconds. */
const upBefore = { ...node, servedAt: NOW - 1000, bootedAt: NOW - 980 };
const succeeded = (seconds: number): Partial<Observed> => ({
  machines: new Map([[1, { cycle: 'second', since: NOW - seconds }]]),
});
const boots: [string, BootWish, Partial<Observed>, Step[]][] = [
  ['is reset when its time is over', stuck, {}, [resetStep(1)]],
  ['has time while it is young', { ...stuck, servedAt: NOW - 10 }, {}, []],
  ['has its time again after each step', stuck, { lastSteps: new Map([[1, NOW - BOOT_TIMEOUT]]) }, []],
  [
    'is reset when its time since the last step is over',
    stuck,
    { lastSteps: new Map([[1, NOW - BOOT_TIMEOUT - 1]]) },
    [resetStep(1)],
  ],
  ['has its time again after a reset', stuck, { attempts: attempt('power', 10, 1, 1) }, []],
  ['is reset again', stuck, { attempts: attempt('power', BOOT_TIMEOUT + 1, 1, 1) }, [resetStep(1)]],
  ['is given up', stuck, { attempts: attempt('power', BOOT_TIMEOUT + 1, BOOT_RETRIES, 1) }, []],
  ['is given up as the node’s settings say', { ...stuck, retries: 0 }, {}, []],
  ['has the time that the node’s settings say', { ...stuck, timeout: 600 }, {}, []],
  ['has all time where the node’s settings say so', { ...stuck, timeout: Infinity, servedAt: 1 }, {}, []],
  ['and was never served is reset', unseen, { agents: silent }, [resetStep(1)]],
  ['and was never served has time after a restart', unseen, { agents: silent, since: NOW - 1 }, []],
  [
    'has its time on a machine that has begun after another one was up',
    upBefore,
    succeeded(BOOT_TIMEOUT),
    [],
  ],
  ['is reset on such a machine when its time is over', upBefore, succeeded(BOOT_TIMEOUT + 1), [resetStep(1)]],
  [
    'is no matter where nobody knows which machine was served',
    { ...upBefore, servedCycle: null },
    succeeded(600),
    [],
  ],
  ['has its time again after a restart of the server', stuck, { since: NOW - 1 }, []],
  [
    'of a board that never booted from here only switches it on',
    newcomer,
    { agents: silent, machines: none },
    [{ kind: 'powerOn', id: 1, generation: 1 }],
  ],
  [
    'of a board that never booted from here is a reset when that was asked for',
    { ...newcomer, hard: true },
    { agents: silent, machines: none },
    [resetStep(1)],
  ],
];
for (const [name, desired, observed, expected] of boots) {
  test(`a boot that does not come up ${name}`, () => {
    assert.deepEqual(planBoot(desired, { ...settled, ...observed }, NOW), expected);
  });
}

test('steps of the boot before give no time to the one that was ordered', () => {
  const seen = { ...settled, ...silentFor(600), lastSteps: new Map([[1, NOW - 1]]) };
  assert.deepEqual(planBoot(due, { ...seen, attempts: attempt('power', BOOT_TIMEOUT + 1, 1) }, NOW), [
    resetStep(2),
  ]);
});

const deaf = { ...silentFor(600), machines: none };
const troubled: [string, BootWish, Partial<Observed>, BootTrouble | undefined][] = [
  ['that runs what it should has none', node, {}, undefined],
  ['that neither listens nor has a source of power is deaf', physical, deaf, 'deaf'],
  ['that never booted, and whose power nobody has, is deaf', { ...physical, served: null }, deaf, 'deaf'],
  ['whose power somebody has is not', powered, deaf, undefined],
  ['that can be switched on is not', wakeable, deaf, undefined],
  ['that listens is not', physical, { machines: none }, undefined],
  ['that was told just now is on its way', physical, { ...deaf, attempts: attempt('order', 60) }, undefined],
  ['that was told long ago is deaf', physical, { ...deaf, attempts: attempt('order', 600) }, 'deaf'],
  [
    'that an earlier server may have told is on its way',
    { ...physical, ...older },
    { ...deaf, since: NOW - 60 },
    undefined,
  ],
  [
    'that boots what was ordered before is on its way',
    { ...physical, bootedAt: null, servedAt: NOW - 60 },
    deaf,
    undefined,
  ],
  [
    'whose new machine does not come up, however often it was reset, is stuck',
    upBefore,
    { ...succeeded(BOOT_TIMEOUT + 1), attempts: attempt('power', BOOT_TIMEOUT + 1, BOOT_RETRIES, 1) },
    'stuck',
  ],
  ['that boots has none', { ...stuck, servedAt: NOW - 60 }, {}, undefined],
  ['that will be reset has none', stuck, {}, undefined],
  [
    'that was reset often enough is stuck',
    stuck,
    { attempts: attempt('power', BOOT_TIMEOUT + 1, BOOT_RETRIES, 1) },
    'stuck',
  ],
  [
    'that never asked for its boot, however often it was reset, is stuck',
    powered,
    { ...deaf, attempts: attempt('power', BOOT_TIMEOUT + 1, BOOT_RETRIES) },
    'stuck',
  ],
  [
    'that does not come up, and whose power nobody has, is stuck',
    { ...stuck, power: physical.power },
    {},
    'stuck',
  ],
];
for (const [name, desired, observed, expected] of troubled) {
  test(`a node ${name}`, () => {
    assert.equal(troubleOf(desired, { ...settled, ...observed }, NOW), expected);
  });
}
