import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CopiesPlan, type CopiesSeen, type NodeWish, planCopies, wantedCopies } from './copies.ts';

const node = (wish: Partial<NodeWish>): NodeWish => ({
  ...{ from: 'own-host', host: null, next: ['new'], served: null },
  ...wish,
});

describe('wantedCopies', () => {
  const table: [what: string, nodes: NodeWish[], expected: string[]][] = [
    ['of nodes that run there, or may run nowhere else', [node({ host: 'h1' })], ['new']],
    ['not of those elsewhere', [node({ host: 'h2' }), node({ host: null })], []],
    ['of nodes that are to mount from it', [node({ from: 'h1', host: 'h2' })], ['new']],
    ['of nodes that may mount from any', [node({ from: 'least-loaded' })], ['new']],
    ['not of those that mount from the server', [node({ from: 'server', host: 'h1' })], []],
    [
      'first of all what is mounted, whatever it was',
      [node({ host: 'h1' }), node({ from: 'server', served: { host: 'h1', names: ['old', 'new'] } })],
      ['old', 'new'],
    ],
    ['not what is mounted elsewhere', [node({ served: { host: 'h2', names: ['old'] } })], []],
  ];
  for (const [what, nodes, expected] of table)
    it(what, () => assert.deepEqual(wantedCopies('h1', nodes).names, expected));
});

describe('planCopies', () => {
  const sizes = new Map([
    ['a', 10],
    ['b', 20],
    ['old', 5],
    ['older', 8],
  ]);
  const seen = (
    wish: Partial<Omit<CopiesSeen, 'right' | 'there'>> & { right?: string[]; there?: string[] },
  ): CopiesSeen => ({
    ...{ room: 100, doubted: new Set<string>() },
    ...wish,
    there: new Set(wish.there),
    right: new Set(wish.right),
  });
  const table: [
    what: string,
    names: string[],
    inUse: string[],
    seen: ReturnType<typeof seen>,
    plan: CopiesPlan,
  ][] = [
    ['the first that is missing', ['a', 'b'], [], seen({}), { fetch: 'a', drop: [] }],
    ['the next', ['a', 'b'], [], seen({ there: ['a'], right: ['a'] }), { fetch: 'b', drop: [] }],
    ['nothing more', ['a'], [], seen({ there: ['a'], right: ['a'] }), { drop: [] }],
    [
      'one that nobody has looked at is looked at, without room',
      ['a'],
      [],
      seen({ there: ['a'], room: 0 }),
      { fetch: 'a', drop: [] },
    ],
    [
      'one whose bytes the server does not know yet waits',
      ['x', 'a'],
      [],
      seen({}),
      { fetch: 'a', drop: [] },
    ],
    [
      'the oldest goes where it is short of room',
      ['a'],
      [],
      seen({ there: ['older', 'old'], right: ['older', 'old'], room: 3 }),
      { fetch: 'a', drop: ['older'] },
    ],
    [
      'one that is doubted goes once nobody has mounted it, and is no reason to wait for others',
      ['a', 'old', 'b'],
      ['a'],
      seen({ there: ['a', 'old'], doubted: new Set(['a', 'old']), room: 100 }),
      { fetch: 'b', drop: ['old'] },
    ],
    [
      'one that is doubted is not looked at',
      ['a'],
      ['a'],
      seen({ there: ['a'], doubted: new Set(['a']) }),
      { drop: [] },
    ],
    [
      'never one that is mounted',
      ['a'],
      ['older'],
      seen({ there: ['older', 'old'], right: ['older', 'old'], room: 6 }),
      { fetch: 'a', drop: ['old'] },
    ],
    [
      'none for nothing; a smaller one may fit',
      ['b', 'a'],
      [],
      seen({ there: ['old'], right: ['old'], room: 10 }),
      { fetch: 'a', drop: [] },
    ],
  ];
  for (const [what, names, inUse, there, plan] of table)
    it(what, () => assert.deepEqual(planCopies({ names, inUse: new Set(inUse) }, there, sizes), plan));

  it('takes no longer than what a host tells, be it lies', () => {
    const lies = Array.from({ length: 30_000 }, (_, index) => `lie-${index}`);
    const wanted = Array.from({ length: 30 }, (_, index) => `wanted-${index}`);
    const large = new Map(wanted.map((name) => [name, 1000]));
    const begun = performance.now();
    const plan = planCopies({ names: wanted, inUse: new Set() }, seen({ there: lies }), large);
    assert.deepEqual(plan, { drop: [] });
    const seconds = (performance.now() - begun) / 1000;
    assert.ok(seconds < 1, `${seconds} s`);
  });
});
