import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineage, numberVersions, retained, type Step, versionsOf } from './lineage.ts';

const NOW = 1_000_000_000;
const DAY = 86_400;

/** Steps as `a>b`, newest first; `-` stands for no image, `!` for given up. Each is as many days old as its place tells. */
function steps(text: string, name = 'exp'): Step[] {
  const words = text.split(' ').filter(Boolean);
  return words.map((word, index) => {
    const [previous = null, digest = null] = word.split('>').map((side) => (side === '-' ? null : side));
    const given_up = word.startsWith('!') ? 1 : 0;
    return {
      ...{ owner: 'ann', name, previous: previous?.replace('!', '') || null, digest, given_up },
      at: NOW - index * DAY - 1,
    };
  });
}

const histories: [what: string, steps: string, versions: string, numbers: string][] = [
  ['nothing', '', '', ''],
  ['one version', '->a', 'a', '0'],
  ['three versions', 'b>c a>b ->a', 'c b a', '0 1 2'],
  ['an undo is a version', 'c>b b>c a>b ->a', 'b c b a', '0 1 2 3'],
  ['a rename is none', 'b>c b>b a>b ->a', 'c b a', '0 1 1 2'],
  ['a removal that was undone is none', 'a>b ->a a>- ->a', 'b a', '0 1 - 1'],
  ['a removed image', 'b>- a>b ->a', 'b a', '- 0 1'],
  ['a new image of a name that was another’s', 'x>y ->x a>- ->a', 'y x a', '0 1 - 2'],
  ['an image renamed to the name of a removed one', 'a>a x>- ->x ->a', 'a', '0 0'],
];

for (const [what, text, versions, numbers] of histories) {
  test(`versions: ${what}`, () => {
    const own = lineage(steps(text));
    assert.equal(versionsOf(own).join(' '), versions);
    assert.equal(
      numberVersions(own)
        .map(({ version }) => version ?? '-')
        .join(' '),
      numbers,
    );
  });
}

const policies: [what: string, steps: string, versions: number, days: number, grace: number, kept: string][] =
  [
    ['nothing at all', 'b>c a>b ->a', 0, 0, 0, ''],
    ['what was left a moment ago', 'b>c a>b ->a', 0, 0, 60, 'b'],
    ['so many versions', 'd>e c>d b>c a>b ->a', 2, 0, 0, 'c d'],
    ['more versions than there are', 'b>c a>b ->a', 9, 0, 0, 'a b'],
    ['so many days', 'd>e c>d b>c a>b ->a', 0, 2, 0, 'c d'],
    ['either rule', 'd>e c>d b>c a>b ->a', 3, 1, 0, 'b c d'],
    ['each version once, however often one goes back and forth', 'b>c c>b b>c a>b ->a', 2, 0, 0, 'a b'],
    ['a removed image for days', 'c>- b>c a>b ->a', 5, 2, 0, 'b c'],
    ['nothing of a removed image once its days are over', 'c>- b>c a>b ->a', 5, 0, 0, ''],
    ['nothing that was given up, but what was left after that', 'd>e c>d !b>c !a>b !->a', 9, 9, 0, 'c d'],
    ['nothing of a removed image that was given up', '!b>- !a>b !->a', 9, 9, 60, ''],
    ['nothing that a rename left', 'a>a ->a', 0, 5, 0, ''],
  ];

for (const [what, text, versions, days, grace, kept] of policies) {
  test(`keeps ${what}`, () => {
    assert.equal([...retained(steps(text), { versions, days }, grace, NOW)].sort().join(' '), kept);
  });
}

test('each name keeps its own', () => {
  const all = [...steps('b>c a>b ->a'), ...steps('y>z x>y ->x', 'other')];
  assert.deepEqual([...retained(all, { versions: 1, days: 0 }, 0, NOW)].sort(), ['b', 'y']);
});
