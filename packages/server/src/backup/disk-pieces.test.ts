import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../../test/platform.ts';
import { PIECE, piecesOfExtents, savePieces } from './disk-pieces.ts';

/** As a program prints it, cut anywhere. */
const of = (told: string, size: number) => piecesOfExtents(Readable.from(told.match(/.{1,7}/gs) ?? []), size);

const GIB = 1024 ** 3;
const head = ` ext:     logical_offset:        physical_offset: length:   expected: flags:
   0:        0..    1027:   65864194..  65865221:   1028:            
`;

describe('piecesOfExtents', () => {
  it('are those in which an extent lies, also where filefrag counts several extents as one', async () => {
    const told = `${head}   1:     1043..    1043:   65865237..  65865237:      1:            
   2:     9251..    9255:   65866312..  65866316:      5:   65839724:
   3:  2621424.. 2621439:   65832976..  65832991:     16:   66424816: last,unwritten,eof
disk.img: 3 extents found
`;
    assert.deepEqual(await of(told, 10 * GIB), [0, 1, 2, 3, 4, 36, 10239]);
  });

  it('are not beyond the end of the file', async () => {
    const told = `${head}   1:     2048..    4095:   65866242..  65868289:   2048: last,unwritten,eof\nx: 1 extent found\n`;
    assert.deepEqual(await of(told, 9 * PIECE), [0, 1, 2, 3, 4, 8]);
  });

  it('are none of a file that is all a hole', async () => {
    assert.deepEqual(await of('x: 0 extents found\n', GIB), []);
  });

  it('are not known where the list is no whole one', async () => {
    assert.equal(await of(`${head}x: 1 extent found\n`, GIB), undefined, 'the last one is missing');
    const gap = `${head}   2:     1043..    1043:   65865237..  65865237:      1:             last\n`;
    assert.equal(await of(gap, GIB), undefined, 'one in the middle is missing');
    assert.equal(await of('', GIB), undefined, 'nothing is told');
  });
});

/** What filefrag prints of a disk in which every second block is written. */
const FILEFRAG = `#!/bin/sh
exec awk 'BEGIN {
  for (n = 0; n < 1000000; n++)
    printf "%8d: %11d..%11d: %13d..%13d: %10d:%s\\n", n, 2 * n, 2 * n, n, n, 1, n == 999999 ? " last" : ""
}'
`;

it('a disk that its user has left in a million pieces is saved', async (context) => {
  const folder = await temporaryFolder();
  context.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'filefrag'), FILEFRAG, { mode: 0o755 });
  const disk = join(folder, 'disk');
  await writeFile(disk, Buffer.alloc(2 * PIECE, 1));
  const saved: Buffer[] = [];
  const blobs = {
    async putBytes(bytes: Buffer) {
      saved.push(Buffer.from(bytes));
      return { size: bytes.length, digest: `sha256:${'0'.repeat(64)}` };
    },
  };
  const { PATH } = process.env;
  process.env.PATH = `${folder}:${PATH}`;
  try {
    await savePieces(disk, blobs, () => {});
  } finally {
    process.env.PATH = PATH;
  }
  assert.deepEqual(
    saved.map(({ length }) => length > 1000),
    [true, true, false],
  );
});
