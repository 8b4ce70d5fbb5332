import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GatewaySeen, planGateway } from './gateway.ts';
import { node } from './plan.fixture.ts';
import { concerns, type Step } from './plan.ts';

const routed = [{ id: node.id, ip: node.ip }];
const nat = { ...node, nat: true };

const rows: [name: string, nodes: (typeof node)[], seen: GatewaySeen['routed'], steps: object[]][] = [
  ['are left alone when they are as they should be', [nat], routed, []],
  ['are set after a start, when nothing is known', [nat], null, [{ kind: 'setRouted', nodes: routed }]],
  ['are none but those that are told so', [node, nat], [], [{ kind: 'setRouted', nodes: routed }]],
  ['lose a node that is gone', [], routed, [{ kind: 'setRouted', nodes: [] }]],
];
for (const [name, nodes, seen, steps] of rows) {
  test(`nodes that go out ${name}`, () => assert.deepEqual(planGateway(nodes, { routed: seen }), steps));
}

test('what fails for nodes that go out is no trouble of the others', () => {
  const step: Step = { kind: 'setRouted', nodes: routed };
  assert.deepEqual([concerns(step, [node.id]), concerns(step, [7])], [true, false]);
});
