import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { printedIn } from './podman-frames.ts';

test("podman's frames become pieces of two streams, however they are cut", async () => {
  const frame = (type: number, text: string) => [type, 0, 0, 0, 0, 0, 0, text.length, ...Buffer.from(text)];
  const bytes = Buffer.from([...frame(1, 'out'), ...frame(2, 'err'), ...frame(1, ''), ...frame(1, 'more')]);
  for (const size of [1, 5, bytes.length]) {
    const cut: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) cut.push(bytes.subarray(at, at + size));
    const pieces: string[] = [];
    for await (const piece of printedIn(Readable.from(cut))) pieces.push(`${piece.to} ${piece.bytes}`);
    assert.deepEqual(pieces, ['stdout out', 'stderr err', 'stdout more']);
  }
});
