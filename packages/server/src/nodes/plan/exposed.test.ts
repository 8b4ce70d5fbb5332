import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Exposed, planExposed } from './exposed.ts';
import { node } from './plan.fixture.ts';

const ports = [{ node: 80, server: 8080 }];
const more = [{ node: 22, server: 2222 }];
const others = [{ node: 81, server: 8080 }];
const [one, two] = [
  { ...node, exposed: ports },
  { ...node, id: 2, ip: '10.73.0.3', exposed: ports },
];
const done = { ip: node.ip, ports };

const rows: [
  title: string,
  nodes: Parameters<typeof planExposed>[0],
  seen: [number, Exposed][],
  steps: object[],
][] = [
  ['none are wanted, and there are none', [node], [], []],
  ['they are there', [one], [[1, done]], []],
  ['they are not there, as after a start', [one], [], [{ id: 1, ...done }]],
  [
    'they are there, in another order',
    [{ ...one, exposed: [...more, ...ports] }],
    [[1, { ip: node.ip, ports: [...ports, ...more] }]],
    [],
  ],
  [
    'one of them could not be opened',
    [{ ...one, exposed: [...ports, ...more] }],
    [[1, done]],
    [{ id: 1, ip: node.ip, ports: [...ports, ...more] }],
  ],
  ['they are others', [{ ...one, exposed: others }], [[1, done]], [{ id: 1, ip: node.ip, ports: others }]],
  [
    'the node has another address',
    [{ ...one, ip: '10.73.0.9' }],
    [[1, done]],
    [{ id: 1, ip: '10.73.0.9', ports }],
  ],
  ['the node is no more', [], [[1, done]], [{ id: 1, ip: node.ip, ports: [] }]],
  [
    'they go from one node to the next',
    [two, { ...one, exposed: [] }],
    [[1, done]],
    [
      { id: 1, ip: node.ip, ports: [] },
      { id: 2, ip: '10.73.0.3', ports },
    ],
  ],
];
for (const [title, nodes, seen, steps] of rows) {
  test(`ports that lead to nodes: ${title}`, () => {
    assert.deepEqual(
      planExposed(nodes, { exposed: new Map(seen) }),
      steps.map((step) => ({ kind: 'exposeNode', ...step })),
    );
  });
}
