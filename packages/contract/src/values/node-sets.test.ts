import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeSet } from './node-sets.ts';

const read: [text: string, words: string[], conditions: string[]][] = [
  ['vnode1', ['vnode1'], []],
  ['a,b,my-nodes', ['a', 'b', 'my-nodes'], []],
  ['pi-*,vnode[1-3],x?', ['pi-*', 'vnode[1-3]', 'x?'], []],
  ['*', ['*'], []],
  ['all-nodes model=rpi-4-b', ['all-nodes'], ['model is 1']],
  ['all-nodes state!=off,unreachable owner=Ann.B', ['all-nodes'], ['state not 2', 'owner is 1']],
  ['all-nodes image=ann/exp:v1,*/lab*', ['all-nodes'], ['image is 2']],
];
for (const [text, words, conditions] of read) {
  test(`"${text}" is a set`, () => {
    const parsed = parseNodeSet(text);
    assert.ok(typeof parsed === 'object', String(parsed));
    assert.deepEqual(
      parsed.words.map((word) => word.text),
      words,
    );
    assert.deepEqual(
      parsed.conditions.map(({ field, not, values }) => `${field} ${not ? 'not' : 'is'} ${values.length}`),
      conditions,
    );
  });
}

const refused: [text: string, complaint: RegExp][] = [
  ['', /"" is none of them/],
  ['a,,b', /"" is none of them/],
  ['a, b', /"" is none of them/],
  ['-rf', /"-rf" is none of them/],
  ['1a', /"1a" is none of them/],
  ['Pi-*', /"Pi-\*" is none of them/],
  ['../x', /is none of them/],
  ['a\n', /"a\\n" is none of them/],
  ['$(id)*', /is none of them/],
  ['pi-[', /end to each bracket: "pi-\["/],
  ['pi-[]', /end to each bracket/],
  ['a ', /"" is none$/],
  ['a  model=x', /"" is none$/],
  ['a model', /FIELD=VALUE or FIELD!=VALUE: "model" is none/],
  ['a =x', /"=x" is none/],
  ['a colour=red', /"colour" is none: they are model, type, /],
  ['a constructor=x', /"constructor" is none/],
  ['a model=', /model=VALUE,VALUE: "" is no such value/],
  ['a model=x,', /"" is no such value/],
  ["a image=it's", /is no such value/],
  ['a image=\x1b[2J', /"\\u001b\[2J" is no such value/],
  ['a name=[', /end to each bracket/],
  [`a,${'*'.repeat(129)}`, /128 characters at most/],
  [`${'*'.repeat(100)},b name=${'?'.repeat(29)}`, /128 characters at most/],
  [`a${' type=virtual'.repeat(17)}`, /16 conditions at most/],
];
for (const [text, complaint] of refused) {
  test(`${JSON.stringify(text.slice(0, 40))} is no set`, () => {
    const parsed = parseNodeSet(text);
    assert.ok(typeof parsed === 'string');
    assert.match(parsed, complaint);
  });
}
