import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storedLine } from '../chunk.ts';
import { isExpression, lineFinder, literalOf } from './matcher.ts';

const literals: [expression: string, literal: string][] = [
  ['error', 'error'],
  ['', ''],
  ['err.r', 'err'],
  ['^abc$', 'abc'],
  ['ab+cd', 'ab'],
  ['abc?defg', 'defg'],
  ['abc*', 'ab'],
  ['ab{2,3}cde', 'cde'],
  ['a|bcd', ''],
  ['(?i)error', ''],
  ['\\d+ errors', ' errors'],
  ['[a-z]bcd', 'bcd'],
  ['(never|ever) again', ' again'],
  ['(?:a|b)?cde(f(g)|h)*ij', 'cde'],
  ['ab(cd', ''],
  ['10\\.0\\.0\\.1 port', '10.0.0.1 port'],
  ['\\w+: done', ': done'],
  ['[]x]abc[^]y\\]z]d', 'abc'],
  ['[[:alpha:]]abc', ''],
  ['\\pLabc', ''],
  ['\\Qa.b\\Eabc', ''],
  ['\\x41abc', ''],
  ['abc(?i)def', ''],
  ['a{,2}bc', ''],
  ['ab{x}cd', ''],
  ['ab??cd', 'cd'],
  ['a|b', ''],
  ['x{0}', ''],
  ['é{2}abc', 'abc'],
];

for (const [expression, literal] of literals) {
  test(`all that ${JSON.stringify(expression)} matches has ${JSON.stringify(literal)}`, () => {
    assert.equal(literalOf(expression), literal);
  });
}

const LINES = ['one error', 'two', '', 'an 1700000000000003 in it', 'ERROR', 'last error'];
const text = Buffer.concat(
  LINES.map((line, index) => storedLine(1_700_000_000_000_000 + index, Buffer.from(line))),
);

function found(expression: string | undefined, from = 0, to = Number.MAX_SAFE_INTEGER): string[] {
  return [...lineFinder(expression, from, to)(text)].map((line) =>
    text.toString('utf8', line.from + 17, line.to - 1),
  );
}

const searches: [expression: string | undefined, lines: string[]][] = [
  [undefined, LINES],
  ['', LINES],
  ['error', ['one error', 'last error']],
  ['(?i)error', ['one error', 'ERROR', 'last error']],
  ['error$', ['one error', 'last error']],
  ['^t', ['two']],
  ['^$', ['']],
  ['170000000000000', ['an 1700000000000003 in it']],
  ['0003', ['an 1700000000000003 in it']],
  ['nowhere', []],
  ['o.e', ['one error']],
];

for (const [expression, lines] of searches) {
  test(`${expression} finds ${lines.length} lines`, () => assert.deepEqual(found(expression), lines));
}

test('times bound what is found, both ends included', () => {
  const at = 1_700_000_000_000_000;
  assert.deepEqual(found(undefined, at + 1, at + 2), ['two', '']);
  assert.deepEqual(found('error', at + 1), ['last error']);
});

test('what would take exponential time elsewhere does not', () => {
  const long = storedLine(1, Buffer.from(`${'a'.repeat(50_000)}!`));
  assert.deepEqual([...lineFinder('(a|a)*(a*)*b', 0, 9)(long)], []);
});

test('what is no expression is told', () => {
  for (const text of ['(', '[a', 'a**', '(?<x', '\\8', '(a{1000}){1000}'])
    assert.equal(isExpression(text), false, text);
  for (const text of ['a', 'a|b', '(?i)x', '\\d+']) assert.equal(isExpression(text), true, text);
});
