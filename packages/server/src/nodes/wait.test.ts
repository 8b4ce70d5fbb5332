import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { Node } from '@walt/contract';
import { waitBooted } from './wait.ts';

function node(name: string, step: string | null | undefined): Node {
  const boot = step === undefined ? undefined : { step, since: 1, attempt: 1, final: false };
  return { name, state: step === undefined ? 'booted' : 'booting', boot } as Node;
}

/** What is told while nodes go through these states, one at each change. */
async function told(states: Node[][]): Promise<[step: string, done: number | undefined][]> {
  const changes = new EventEmitter<{ change: [] }>();
  const steps: [string, number | undefined][] = [];
  const look = async () => {
    setImmediate(() => changes.emit('change'));
    return (states.length > 1 ? states.shift() : states[0]) ?? [];
  };
  for await (const event of waitBooted(look, changes, undefined, new AbortController().signal)) {
    if (event.type === 'progress') steps.push([event.step, event.done]);
  }
  return steps;
}

test('of one node, each step of its boot is told once', async () => {
  const states = [null, 'kernel', 'kernel', 'volumes', undefined].map((step) => [node('vnode1', step)]);
  assert.deepEqual(await told(states), [
    ['vnode1 boots', 0],
    ['vnode1 boots (kernel)', 0],
    ['vnode1 boots (volumes)', 0],
  ]);
});

test('of several nodes, how many have booted', async () => {
  const states = [
    [node('a', 'kernel'), node('b', 'kernel')],
    [node('a', 'volumes'), node('b', 'kernel')],
    [node('a', undefined), node('b', 'kernel')],
    [node('a', undefined), node('b', undefined)],
  ];
  assert.deepEqual(await told(states), [
    ['nodes boot', 0],
    ['nodes boot', 1],
  ]);
});
