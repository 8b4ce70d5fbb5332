import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PIECE, piecesOfExtents } from './disk-pieces.ts';

const GIB = 1024 ** 3;
const head = ` ext:     logical_offset:        physical_offset: length:   expected: flags:
   0:        0..    1027:   65864194..  65865221:   1028:            
`;

describe('piecesOfExtents', () => {
  it('are those in which an extent lies, also where filefrag counts several extents as one', () => {
    const told = `${head}   1:     1043..    1043:   65865237..  65865237:      1:            
   2:     9251..    9255:   65866312..  65866316:      5:   65839724:
   3:  2621424.. 2621439:   65832976..  65832991:     16:   66424816: last,unwritten,eof
disk.img: 3 extents found
`;
    assert.deepEqual(piecesOfExtents(told, 10 * GIB), [0, 1, 2, 3, 4, 36, 10239]);
  });

  it('are not beyond the end of the file', () => {
    const told = `${head}   1:     2048..    4095:   65866242..  65868289:   2048: last,unwritten,eof\nx: 1 extent found\n`;
    assert.deepEqual(piecesOfExtents(told, 9 * PIECE), [0, 1, 2, 3, 4, 8]);
  });

  it('are none of a file that is all a hole', () => {
    assert.deepEqual(piecesOfExtents('x: 0 extents found\n', GIB), []);
  });

  it('are not known where the list is no whole one', () => {
    assert.equal(piecesOfExtents(`${head}x: 1 extent found\n`, GIB), undefined, 'the last one is missing');
    const gap = `${head}   2:     1043..    1043:   65865237..  65865237:      1:             last\n`;
    assert.equal(piecesOfExtents(gap, GIB), undefined, 'one in the middle is missing');
    assert.equal(piecesOfExtents('', GIB), undefined, 'nothing is told');
  });
});
