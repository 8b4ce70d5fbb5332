import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { streamOf } from './send-stream.ts';

/** A generator, and whether its `finally` has run. */
function pieces(...given: (string | Error)[]) {
  const state = { over: false };
  const generator = (async function* () {
    try {
      for (const piece of given) {
        if (piece instanceof Error) throw piece;
        yield Buffer.from(piece);
      }
    } finally {
      state.over = true;
    }
  })();
  return { state, generator };
}

test('all pieces come, in order', async () => {
  const { generator, state } = pieces('a', 'b', 'c');
  assert.equal(await text(await streamOf(generator)), 'abc');
  assert.ok(state.over);
});

test('nothing comes of nothing', async () => {
  assert.equal(await text(await streamOf(pieces().generator)), '');
});

test('what fails before the first piece is thrown, what fails later fails the stream', async () => {
  await assert.rejects(streamOf(pieces(new Error('early')).generator), /early/);
  await assert.rejects(text(await streamOf(pieces('a', new Error('late')).generator)), /late/);
});

for (const unread of [true, false]) {
  test(`a stream that is left ${unread ? 'unread' : 'half-way'} ends its generator`, async () => {
    const { generator, state } = pieces('a', 'b');
    const stream = await streamOf(generator);
    if (!unread) await once(stream, 'readable');
    stream.destroy();
    await once(stream, 'close');
    assert.ok(state.over);
  });
}
