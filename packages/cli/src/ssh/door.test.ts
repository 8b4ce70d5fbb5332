import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownerOf } from './door.ts';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const row = (local: string, remote: string, state: string, user: number) =>
  `   1: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${user}        0 4711 1 0000000000000000 20 4 30 10 -1`;

const cases: [what: string, lines: string[], owner: number | undefined][] = [
  ['nobody', [], undefined],
  ['its owner', [row('0100007F:9C40', '0100007F:0050', '01', 1000)], 1000],
  ['its owner, on a machine of the other byte order', [row('7F000001:9C40', '7F000001:0050', '01', 7)], 7],
  ['not the other side of it', [row('0100007F:0050', '0100007F:9C40', '01', 1000)], undefined],
  ['not what was closed', [row('0100007F:9C40', '0100007F:0050', '06', 0)], undefined],
  ['not who listens', [row('0100007F:9C40', '00000000:0000', '0A', 1000)], undefined],
  ['not who came from elsewhere', [row('0200007F:9C40', '0100007F:0050', '01', 1000)], undefined],
  ['not a line that is cut', ['   1: 0100007F:9C40 0100007F:0050 01'], undefined],
];
for (const [what, lines, owner] of cases) {
  test(`who connected from 40000 to 80: ${what}`, () => {
    assert.equal(ownerOf([HEAD, ...lines, ''].join('\n'), 40_000, 80), owner);
  });
}
