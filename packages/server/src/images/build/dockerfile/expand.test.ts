// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of a Dockerfile
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BadWord, checkWord, expand } from './expand.ts';

const values = new Map([
  ['HOME', '/root'],
  ['EMPTY', ''],
  ['FILE', 'a/b.tar.gz'],
  ['DOTS', '..'],
]);
const value = (name: string) => values.get(name);

const cases: [word: string, text: string, unusual?: 'unusual'][] = [
  ['plain', 'plain'],
  [`a'b c'd`, 'ab cd'],
  [`"it's"`, `it's`],
  [`'"'`, '"'],
  ['a\\tb', 'atb'],
  ['"a\\tb"', 'a\\tb'],
  ['"a\\"b\\\\c\\$d"', 'a"b\\c$d'],
  [`'a\\'`, 'a\\'],
  ['end\\', 'end'],
  ['end\\\\', 'end\\'],
  ['ünï\\ cödé', 'ünï cödé'],
  ['$HOME/x', '/root/x'],
  ['${HOME}x', '/rootx'],
  ['$NONE.', '.'],
  ['"$HOME"', '/root'],
  [`'$HOME'`, '$HOME'],
  ['\\$HOME', '$HOME'],
  ['\\${}', '${}'],
  ['$.', '$.'],
  ['a$', 'a$'],
  ['${NONE:-word}', 'word'],
  ['${EMPTY:-word}', 'word'],
  ['${HOME:-word}', '/root'],
  ['${NONE:-$HOME}', '/root'],
  ['${NONE:-${ALSO:-deep}}', 'deep'],
  ['${NONE:-"a b}"}', 'a b}'],
  ['${HOME:+set}', 'set'],
  ['${EMPTY:+set}', ''],
  ['${NONE:-\\}}', '}'],
  ['${NONE-dash}', 'dash', 'unusual'],
  ['${EMPTY-dash}', '', 'unusual'],
  ['${EMPTY+set}', 'set', 'unusual'],
  ['${NONE+set}', '', 'unusual'],
  ['${HOME?}', '/root', 'unusual'],
  ['${HOME:?must be}', '/root', 'unusual'],
  ['${EMPTY?}', '', 'unusual'],
  ['$1$@', '', 'unusual'],
  ['${FILE#*/}', 'b.tar.gz', 'unusual'],
  ['${FILE##*.}', 'gz', 'unusual'],
  ['${FILE#*.}', 'tar.gz', 'unusual'],
  ['${FILE%.*}', 'a/b.tar', 'unusual'],
  ['${FILE%%.*}', 'a/b', 'unusual'],
  ['${FILE%%*}', '', 'unusual'],
  ['${FILE%*}', 'a/b.tar.gz', 'unusual'],
  ['${FILE#x}', 'a/b.tar.gz', 'unusual'],
  ['${FILE%.g?}', 'a/b.tar', 'unusual'],
  ['${DOTS#\\*}', '..', 'unusual'],
];
for (const [word, text, unusual] of cases) {
  test(`${word} becomes ${JSON.stringify(text)}`, () => {
    assert.deepEqual(expand(word, value), { text, unusual: unusual !== undefined });
    assert.equal(checkWord(word), unusual !== undefined);
  });
}

test('with its own escape character', () => {
  assert.equal(expand('a`$b\\$HOME', value, '`').text, 'a$b\\/root');
});

const refused: [word: string, message: RegExp][] = [
  [`it's`, /single quote has no end/],
  ['"open', /double quote has no end/],
  ['"open\\"', /double quote has no end/],
  ['${HOME', /has no "}"/],
  ['${HOME:-x', /has no "}"/],
  ['${}', /names no variable/],
  ['${:-x}', /names no variable/],
  ['${{HOME}}', /names no variable/],
  ['${.}', /names no variable/],
  ['${HOME:x}', /is no form of a variable/],
  ['${HOME:=x}', /is no form of a variable/],
  ['${HOME/a/b}', /is no form of a variable/],
  ['${HOME#[}', /is no pattern/],
  [`${'${A:-'.repeat(60)}${'}'.repeat(60)}`, /too deeply/],
];
for (const [word, message] of refused) {
  test(`refuses ${word.slice(0, 30)}`, () => {
    assert.throws(() => expand(word, value), { name: 'BadWord', message });
    assert.throws(() => checkWord(word), BadWord);
  });
}

describe('a variable that must be set', () => {
  for (const [word, message] of [
    ['${NONE:?give it}', /^NONE: give it$/],
    ['${NONE?}', /^NONE: is not set$/],
    ['${EMPTY:?}', /^EMPTY: is not set, or empty$/],
  ] as const) {
    test(word, () => {
      assert.throws(() => expand(word, value), { name: 'BadWord', message });
      // Of the form, there is nothing to say.
      assert.ok(checkWord(word));
    });
  }
});

test('a value does not grow without end', () => {
  const long = 'x'.repeat(60_000);
  assert.throws(() => expand('$A$A', () => long), /more than/);
});

test('each character is looked at once: a value is asked for as often as it is named', () => {
  for (const size of [1000, 2000]) {
    for (const word of ['$A'.repeat(size), '"$A"'.repeat(size), `${'${A#*x*y*z}'.repeat(size)}`]) {
      let asked = 0;
      expand(word, () => {
        asked += 1;
        return '';
      });
      assert.equal(asked, size);
    }
  }
});
