import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frames, MAX_MESSAGE } from './frames.ts';

const streams: [what: string, stream: string, messages: string[], rest?: string][] = [
  ['counted', '5 <1>ab7 <2>c\nde', ['<1>ab', '<2>c\nde']],
  ['ended by newlines', '<1>ab\n<2>cd\n', ['<1>ab', '<2>cd']],
  ['of both kinds', '5 <1>ab<2>cd\n4 <3>e', ['<1>ab', '<2>cd', '<3>e']],
  ['counted, with newlines between', '5 <1>ab\n5 <2>cd\n', ['<1>ab', '<2>cd']],
  ['without a priority', 'Use the BFG!\n\n\nx\n', ['Use the BFG!', 'x']],
  ['that break off', '<1>ab\n<2>c', ['<1>ab'], '<2>c'],
  ['that break off, counted', '20 <1>ab', [], '<1>ab'],
];
for (const [what, stream, messages, rest = ''] of streams) {
  for (const size of [1, 3, 100]) {
    test(`messages ${what}, in pieces of ${size}`, () => {
      const frames = new Frames();
      const bytes = Buffer.from(stream);
      const got: string[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        got.push(...frames.push(bytes.subarray(at, at + size)).map(String));
      }
      assert.deepEqual(got, messages);
      assert.equal(frames.end().toString(), rest);
    });
  }
}

test('of a message that is too long, the beginning is taken, and the next one is found', () => {
  const long = 'x'.repeat(10_000_000);
  for (const stream of [`${long}\n<1>a\n`, `${long.replace('x', '<')}\n<1>a\n`]) {
    const got = new Frames().push(Buffer.from(stream)).map(String);
    assert.deepEqual(got, [stream.slice(0, MAX_MESSAGE), '<1>a']);
  }
  const counted = `10000000 ${long}4 <1>a`;
  assert.deepEqual(new Frames().push(Buffer.from(counted)).map(String), [long.slice(0, MAX_MESSAGE), '<1>a']);
});

for (const stream of ['1x', '12345678901 x', '9'.repeat(100)]) {
  test(`${stream} is no frame`, () => {
    assert.throws(() => new Frames().push(Buffer.from(stream)), RangeError);
  });
}
