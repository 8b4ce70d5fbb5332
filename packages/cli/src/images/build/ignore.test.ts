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
  ['docs/*\n!docs/keep', ['docs/a', 'docs/b/c'], ['docs', 'docs/keep', 'docs/keep/x']],
  ['**', ['a', 'a/b', '.x'], []],
  ['**\n!a/b', ['a', 'c'], ['a/b', 'a/b/c']],
  ['dir\n!dir/*.md\ndir/x.md', ['dir', 'dir/a', 'dir/x.md'], ['dir/y.md']],
  ['foo/../bar/./baz/', ['bar/baz', 'bar/baz/x'], ['foo', 'bar', 'baz']],
  ['/../up', ['up'], []],
  ['  # no comment', ['# no comment'], ['x']],
  ['a b', ['a b'], ['a', 'b']],
  ['**/node_modules/**/test', ['node_modules/test', 'x/node_modules/y/z/test/w'], ['test', 'node_modules/x']],
  ['.*', ['.git', '.git/config', '.x'], ['a/.x', 'x.']],
  ['! a', [], ['a']],
  ['x /\n/ y', ['x', 'y'], ['x ', ' y']],
  ['\\ z', [' z'], ['z']],
  ['\\!bang\n\\#hash', ['!bang', '#hash'], ['bang', 'hash']],
  ['x\n/!x', [], ['x', '!x']],
  ['x\n/!/x', ['x'], ['!x', '!/x']],
  ['!src/a\nsrc/**/**', ['src/a', 'src/b/c'], ['src']],
  ['a/*\n!a/keep/*', ['a/b', 'a/keep'], ['a', 'a/keep/x']],
  ['[[]x', ['[x'], ['x']],
  ['docs/**/x', ['docs/x', 'docs/a/b/x'], ['docs/a']],
  ['a\\*b', ['a*b'], ['axb']],
  ['a.b+(c)', ['a.b+(c)'], ['aXb+(c)', 'a.bb(c)']],
  ['../x\n.\n/\n!.', [], ['x', 'a']],
  ['  a  \r\nb', ['a', 'b'], ['c']],
];

for (const [rules, omitted, wanted] of cases) {
  test(`${JSON.stringify(rules)} leaves out what it should`, () => {
    const read = readIgnoreRules(rules);
    assert.deepEqual(
      [...omitted, ...wanted].filter((path) => read.omits(path)),
      omitted,
    );
  });
}

test('tells which folders that are left out hold something wanted', () => {
  const rules = readIgnoreRules('*\n!src/**/*.c\n!lib/one');
  const mayHold = (path: string) =>
    path.split('/').reduce(({ inside }, name) => inside.look(name), { ...rules.look(''), inside: rules })
      .mayHoldWanted;
  assert.deepEqual(['src', 'src/deep', 'lib', 'lib/two', 'doc'].filter(mayHold), ['src', 'src/deep', 'lib']);
});

test('a line that is no pattern is named', () => {
  for (const line of ['[a', '!', '[]', `${'x'.repeat(5000)}`]) {
    assert.throws(() => readIgnoreRules(`a\n${line}`, 'lab.dockerignore'), {
      code: 'INVALID',
      message: /^lab\.dockerignore:2: .* is no pattern/,
    });
  }
});
