import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HostsSeen, planHosts } from './hosts.ts';
import { hosts, node } from './plan.fixture.ts';

const set = (wanted: typeof hosts) => [{ kind: 'setHosts', hosts: wanted }];

const rows: [name: string, nodes: (typeof node)[], seen: HostsSeen['hosts'], steps: object[]][] = [
  ['are left alone when they are as they should be', [node], hosts, []],
  ['are set after a start, when nothing is known', [node], null, set(hosts)],
  ['are set when there are none, after a start', [], null, set([])],
  ['follow a new name', [{ ...node, name: 'other' }], hosts, set([{ ...hosts[0], name: 'other' } as never])],
  ['lose a node that is gone', [], hosts, set([])],
];
for (const [name, nodes, seen, steps] of rows) {
  test(`addresses and names ${name}`, () => {
    assert.deepEqual(planHosts(nodes, { hosts: seen }), steps);
  });
}
