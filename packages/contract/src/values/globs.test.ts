import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { advance, fits, type Glob, type Places, readGlob, startOf } from './globs.ts';

function glob(pattern: string): Glob {
  const read = readGlob(pattern);
  assert.ok(read, pattern);
  return read;
}

const cases: [pattern: string, fitting: string[], others: string[]][] = [
  ['', [''], ['a']],
  ['a.b', ['a.b'], ['aXb', 'a.b.', 'xa.b']],
  ['*', ['', 'a', 'abc.d', '*'], ['a/b', '/']],
  ['*c', ['c', 'abc', 'cc'], ['cd', 'a/c']],
  ['a*/b', ['a/b', 'abc/b'], ['a/c/b', 'ab']],
  ['a*b*c', ['abc', 'axxbyyc', 'abbcc'], ['abcd', 'a/bc']],
  ['a?c', ['abc', 'aüc', 'a😀c'], ['ac', 'abbc', 'a/c']],
  ['[a-c]x', ['ax', 'cx'], ['dx', 'x', '-x']],
  ['[^a-c]x', ['dx', '^x'], ['ax']],
  ['[ab^]', ['a', '^'], ['c']],
  ['[\\]a]', [']', 'a'], ['\\', 'b']],
  ['[\\-x]', ['-', 'x'], ['y']],
  ['[x\\-z]', ['-', 'x', 'z'], ['y']],
  ['[а-я]*', ['ж', 'жz'], ['z', 'ж/']],
  ['\\*\\?\\[\\\\', ['*?[\\'], ['a?[\\']],
  ['**', ['a', 'a/b', '', '/'], []],
  ['a/**', ['a/b', 'a/b/c', 'a/'], ['a', 'ab']],
  ['**/a', ['a', 'b/a', 'b/c/a'], ['ab', 'b/ab', 'xa']],
  ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['ab', 'a/xb', 'a/b/c']],
  ['**/*.o', ['a.o', 'b/a.o', '.o'], ['a.os', 'a/b']],
  ['**/**/a', ['a', 'x/a', 'x/y/a'], ['b']],
  ['a**b', ['ab', 'ax/b', 'a/b', 'ax/y/b'], ['axb', 'a']],
  ['x**', ['x', 'xy', 'xy/z'], ['y']],
];

for (const [pattern, fitting, others] of cases) {
  test(`${JSON.stringify(pattern)} fits what it should`, () => {
    const read = glob(pattern);
    assert.deepEqual(
      [...fitting, ...others].filter((text) => fits(read, text)),
      fitting,
    );
  });
}

test('what is no pattern is none', () => {
  for (const pattern of [
    '[',
    'a[',
    '[]',
    '[]a',
    '[a',
    '[a-',
    '[^]',
    '[a\\',
    '\\',
    'a\\',
    '[-]',
    '[a-]',
    '[-a]',
    '[a-c-e]',
  ])
    assert.equal(readGlob(pattern), undefined, pattern);
});

describe('no pattern makes it look at a place twice in a step', () => {
  const worst = [
    `${'*a'.repeat(200)}b`,
    `${'**/'.repeat(200)}b`,
    `${'**/a*'.repeat(100)}b`,
    `${'*'.repeat(401)}b`.replaceAll('**', '*'),
    `${'[a-z]*'.repeat(100)}0`,
  ];
  for (const pattern of worst) {
    test(pattern.slice(0, 20), () => {
      const read = glob(pattern);
      let places: Places = startOf(read);
      for (const character of 'a/'.repeat(2000) + 'a'.repeat(2000)) {
        places = advance(read, places, character);
        assert.equal(new Set(places).size, places.length);
        assert.ok(places.length <= read.tokens.length + 1);
      }
      assert.equal(fits(read, 'a'.repeat(4000)), false);
    });
  }
});
