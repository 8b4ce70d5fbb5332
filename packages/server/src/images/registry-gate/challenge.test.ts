import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from './challenge.ts';

const cases: [header: string, challenges: [scheme: string, parameters: Record<string, string>][]][] = [
  ['', []],
  ['Basic realm="test"', [['basic', { realm: 'test' }]]],
  [
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
    [
      [
        'bearer',
        {
          ...{ realm: 'https://auth.example/token', service: 'registry.example' },
          scope: 'repository:a/b:pull,push',
        },
      ],
    ],
  ],
  [
    'Basic realm=plain, Bearer realm="a \\"b\\"" , error=x',
    [
      ['basic', { realm: 'plain' }],
      ['bearer', { realm: 'a "b"', error: 'x' }],
    ],
  ],
  // Who names a realm twice, for somebody who reads the last one.
  ['Bearer realm="https://a", Realm="https://b"', [['bearer', { realm: 'https://a' }]]],
  ['Bearer realm="https://never closed', [['bearer', { realm: '' }]]],
  ['="x"', []],
];

for (const [header, challenges] of cases) {
  test(`reads ${JSON.stringify(header)}`, () => {
    const read = parseChallenges(header).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ]);
    assert.deepEqual(read, challenges);
  });
}

test('takes time that grows with the length only', () => {
  for (const part of ['a ', '"', 'a=" ', '\\', ',', '   ', 'a="\\']) {
    const start = performance.now();
    parseChallenges(`Bearer ${part.repeat(1_000_000 / part.length)}`);
    // Milliseconds; what grows with the square takes minutes.
    assert.ok(performance.now() - start < 10_000, JSON.stringify(part));
  }
});
