import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Deed, readDeed } from './deeds.ts';

const cases: [line: string, deed: Deed | undefined][] = [
  [
    'alice node.boot set="n1,n2" image="exp" from="192.0.2.2" result="done"',
    {
      user: 'alice',
      deed: 'node.boot',
      about: { set: 'n1,n2', image: 'exp' },
      from: '192.0.2.2',
      result: 'done',
    },
  ],
  [
    'bob stream tcp node="n1" port="22" from="local" result="left"',
    { user: 'bob', deed: 'stream tcp', about: { node: 'n1', port: '22' }, from: 'local', result: 'left' },
  ],
  // What was noted before it was told from where.
  ['bob image.prune result="done"', { user: 'bob', deed: 'image.prune', about: {}, result: 'done' }],
  [
    'bob image.rename newName="a\\" result=\\"done" from="local" result="FORBIDDEN"',
    {
      ...{ user: 'bob', deed: 'image.rename', about: { newName: 'a" result="done' } },
      ...{ from: 'local', result: 'FORBIDDEN' },
    },
  ],
  [
    'bob image.rename newName="\\u001b[2J" result="done"',
    { user: 'bob', deed: 'image.rename', about: { newName: '\u001b[2J' }, result: 'done' },
  ],
  ['bob x a="\\q"', undefined],
  ['', undefined],
  ['alone', undefined],
];
for (const [line, deed] of cases) test(JSON.stringify(line), () => assert.deepEqual(readDeed(line), deed));
