import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { extract, type Header, pack } from 'tar-stream';
import { renameTop } from './rename-top.ts';

type Item = [header: Partial<Header> & { name: string }, text?: string];

function tarOf(items: Item[]): Readable {
  const tar = pack();
  for (const [header, text] of items) {
    if (text === undefined) tar.entry(header);
    else tar.entry(header, text);
  }
  tar.finalize();
  return Readable.from(tar);
}

async function renamed(items: Item[]): Promise<string[]> {
  const reader = extract();
  const reading = pipeline(renameTop(tarOf(items), 'new'), reader);
  reading.catch(() => {});
  const found: string[] = [];
  for await (const entry of reader) {
    const { name, type, linkname, mode } = entry.header;
    const text = (await buffer(entry)).toString('utf8');
    found.push([name, type, mode?.toString(8), linkname, text].filter(Boolean).join(' '));
  }
  await reading;
  return found;
}

test('a file gets the name', async () => {
  assert.deepEqual(await renamed([[{ name: 'old', mode: 0o755 }, 'text']]), ['new file 755 text']);
  assert.deepEqual(await renamed([[{ name: './old' }, 'text']]), ['new file 644 text']);
});

test('so does a folder with all that is in it; links in it still lead there', async () => {
  const items: Item[] = [
    [{ name: 'old/', type: 'directory' }],
    [{ name: 'old/f' }, 'text'],
    [{ name: 'old/hard', type: 'link', linkname: 'old/f' }],
    [{ name: 'old/soft', type: 'symlink', linkname: 'f' }],
  ];
  assert.deepEqual(await renamed(items), [
    ...['new/ directory 755', 'new/f file 644 text', 'new/hard link 644 new/f', 'new/soft symlink 644 f'],
  ]);
});

test('a name that is too long for a plain header', async () => {
  const long = 'x'.repeat(180);
  assert.deepEqual(await renamed([[{ name: `old/${long}` }, 'text']]), [`new/${long} file 644 text`]);
});

test('several top entries are refused', async () => {
  await assert.rejects(
    renamed([
      [{ name: 'a' }, ''],
      [{ name: 'b' }, ''],
    ]),
    { code: 'INVALID' },
  );
});

test('a tar that is none is an error', async () => {
  const output = renameTop(Readable.from([Buffer.alloc(1024, 'x')]), 'new');
  await assert.rejects(buffer(output), /tar/i);
});
