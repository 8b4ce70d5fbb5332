import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isUserError } from '../../platform/index.ts';
import { parseSubnet } from '../subnet.ts';
import {
  type Export,
  movesFolder,
  type NumberedExport,
  numberExports,
  parseExports,
  renderExports,
} from './nfs-config.ts';

const subnet = parseSubnet('10.0.0.0/16');
const wanted = (id: number, folder: string): Export => ({
  pseudo: `/persist/${id}`,
  folder,
  ip: `10.0.0.${id}`,
  kind: 'persist',
});
const numbered = (id: number, folder: string, exportId: number): NumberedExport => ({
  ...wanted(id, folder),
  exportId,
});
const tree = (path: string, exportId: number): NumberedExport => ({
  pseudo: `/var/lib/walt/nodes/${path}/fs`,
  folder: '/trees/a/root/diff',
  ip: '10.0.0.7',
  kind: 'tree',
  exportId,
});

describe('numberExports', () => {
  const table: [string, NumberedExport[], ReturnType<typeof wanted>[], number[]][] = [
    ['numbers from 2', [], [wanted(5, '/a'), wanted(6, '/b')], [2, 3]],
    ['keeps numbers', [numbered(5, '/a', 9)], [wanted(4, '/c'), wanted(5, '/a')], [2, 9]],
    ['another folder, another number', [numbered(5, '/a', 2)], [wanted(5, '/b')], [3]],
    ['a number that is given up is not given at once', [numbered(5, '/a', 2)], [wanted(6, '/b')], [3]],
    ['fills gaps', [numbered(5, '/a', 2), numbered(6, '/b', 4)], [wanted(7, '/c')], [3]],
  ];
  for (const [what, before, exports, expected] of table) {
    it(what, () =>
      assert.deepEqual(
        numberExports(before, exports).map(({ exportId }) => exportId),
        expected,
      ),
    );
  }
  it('says so when all 16-bit numbers are in use', () => {
    const before = Array.from({ length: 65_534 }, (_, index) => numbered(index, '/x', index + 2));
    assert.throws(
      () => numberExports(before, [wanted(70_000, '/new')]),
      (error) => isUserError(error) && error.code === 'UNAVAILABLE',
    );
  });
});

it('movesFolder tells whether a name gets another folder', () => {
  const before = [numbered(5, '/a', 2)];
  assert.equal(movesFolder(before, [numbered(5, '/a', 2), numbered(6, '/b', 3)]), false);
  assert.equal(movesFolder(before, []), false);
  assert.equal(movesFolder(before, [numbered(5, '/b', 3)]), true);
});

describe('renderExports', () => {
  it('lets all nodes read the volumes, and one node write each /persist', () => {
    assert.equal(
      renderExports('/state/volumes', subnet, [numbered(5, '/state/persist/al ice/5', 2)]),
      `EXPORT { Export_Id = 1; Path = "/state/volumes"; Pseudo = "/volumes"; FSAL { Name = VFS; } CLIENT { Clients = 10.0.0.0/16; Access_Type = RO; Squash = No_Root_Squash; Protocols = 4; } }
EXPORT { Export_Id = 2; Path = "/state/persist/al ice/5"; Pseudo = "/persist/5"; FSAL { Name = VFS; } CLIENT { Clients = 10.0.0.5; Access_Type = RW; Squash = No_Root_Squash; Protocols = 4; } }
`,
    );
  });
  it('lets one node read a tree, also by NFSv3', () => {
    const line = renderExports('/v', subnet, [tree('10.0.0.7', 2)]).split('\n')[1];
    assert.match(line ?? '', /Pseudo = "\/var\/lib\/walt\/nodes\/10\.0\.0\.7\/fs"; /);
    assert.match(line ?? '', /Clients = 10\.0\.0\.7; Access_Type = RO; .* Protocols = 3, 4; /);
  });
  it('is read again by parseExports', () => {
    const trees = [tree('10.0.0.7', 78), tree('52:54:00:00:00:07', 79)];
    const exports = [numbered(5, '/state/per sist/5', 2), numbered(6, '/b', 77), ...trees];
    assert.deepEqual(parseExports(renderExports('/v', subnet, exports)), exports);
    assert.deepEqual(parseExports(''), []);
  });
  it('refuses a path that would end its string', () => {
    assert.throws(
      () => renderExports('/state"; Access_Type = RW; #', subnet, []),
      (error) => isUserError(error) && error.code === 'INVALID',
    );
  });
});
