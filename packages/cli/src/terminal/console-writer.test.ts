import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WriterFrame } from '@walt/contract';
import { openWriters, writerWords } from './console-writer.ts';
import { escapeParser } from './escape.ts';

const nobody: WriterFrame = { type: 'writer', user: null, you: false };
const me: WriterFrame = { type: 'writer', user: 'ann', you: true };
const bob: WriterFrame = { type: 'writer', user: 'bob', you: false };

const cases: [before: WriterFrame | undefined, after: WriterFrame, words: string | undefined][] = [
  [undefined, nobody, undefined],
  [undefined, bob, 'bob is typing here, you watch: ctrl-a w takes over.'],
  [nobody, me, undefined],
  [nobody, bob, 'bob is typing here, you watch: ctrl-a w takes over.'],
  [bob, me, 'You type here now.'],
  [bob, nobody, 'Nobody types here now.'],
  [me, bob, 'bob types here now, you watch: ctrl-a w takes it back.'],
  [
    undefined,
    { ...bob, user: 'b\x1b[2J\nob' },
    'b\\x1b[2J\\x0aob is typing here, you watch: ctrl-a w takes over.',
  ],
];
for (const [before, after, words] of cases) {
  test(`from ${before?.user} to ${JSON.stringify(after.user)}: ${words}`, () => {
    assert.equal(writerWords(before, after), words);
  });
}

test('who only watches is told once what his typing does', () => {
  const told: string[] = [];
  const writers = openWriters((words) => told.push(words));
  assert.ok(writers.mayType());
  writers.onWriter(nobody);
  assert.ok(writers.mayType());
  writers.onWriter(bob);
  assert.deepEqual([writers.mayType(), writers.mayType()], [false, false]);
  assert.equal(told.length, 2);
  assert.deepEqual(
    [writers.mayType(true), writers.mayType()],
    [true, true],
    'before the server has answered',
  );
  writers.onWriter(me);
  assert.deepEqual([told.at(-1), writers.mayType()], ['\nYou type here now.', true]);
});

test('ctrl-a w takes over; what was typed before it goes nowhere', () => {
  const parse = escapeParser();
  const typed = (text: string) => {
    const { bytes, ...rest } = parse(Buffer.from(text));
    return { text: bytes.toString(), ...rest };
  };
  assert.deepEqual(typed('x\x01'), { text: 'x', quit: false, take: false });
  assert.deepEqual(typed('wy'), { text: 'y', quit: false, take: true });
  assert.deepEqual(typed('before\x01wafter\x01aw'), { text: 'after\x01w', quit: false, take: true });
  assert.deepEqual(typed('\x01q'), { text: '\x01q', quit: false, take: false });
  assert.deepEqual(typed('\x01d'), { text: '', quit: true, take: false });
});
