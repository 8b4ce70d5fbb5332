import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readIgnoreRules } from './ignore.ts';

const cases: [rules: string, omitted: string[], wanted: string[]][] = [
  ['', [], ['a', '.dockerignore']],
  ['# a comment\n\na', ['a', 'a/b', 'a/b/c'], ['b', 'b/a', 'ab']],
  ['/a/', ['a', 'a/b'], ['b/a']],
  ['*.o', ['x.o'], ['src/x.o', 'x.os', 'xo']],
  ['**/*.o', ['x.o', 'src/x.o', 'src/deep/x.o'], ['x.c']],
  ['*/temp*', ['a/temp', 'a/temporary.txt'], ['temp', 'a/b/temp']],
  ['temp?', ['tempa'], ['temp', 'tempab']],
  ['[a-c].txt\n[^x]y', ['b.txt', 'ay'], ['d.txt', 'xy']],
  ['*\n!keep', ['a', 'b/c'], ['keep', 'keep/x']],
  ['*.md\n!README*.md\nREADME-secret.md', ['a.md', 'README-secret.md'], ['README.md', 'README-a.md']],
  ['docs/**', ['docs/a', 'docs/a/b'], ['docs', 'doc']],
  ['docs/**/x', ['docs/x', 'docs/a/b/x'], ['docs/a']],
  ['a\\*b', ['a*b'], ['axb']],
  ['a.b+(c)', ['a.b+(c)'], ['aXb+(c)', 'a.bb(c)']],
  ['../x\n!\n.', [], ['x', 'a']],
  ['  a  \r\nb', ['a', 'b'], ['c']],
];

for (const [rules, omitted, wanted] of cases) {
  test(`${JSON.stringify(rules)} leaves out what it should`, () => {
    const { omits } = readIgnoreRules(rules);
    assert.deepEqual([...omitted, ...wanted].filter(omits), omitted);
  });
}

test('tells which folders that are left out hold something wanted', () => {
  const { mayHold } = readIgnoreRules('*\n!src/**/*.c\n!lib/one');
  assert.deepEqual(['src', 'src/deep', 'lib', 'lib/two', 'doc'].filter(mayHold), ['src', 'src/deep', 'lib']);
});
