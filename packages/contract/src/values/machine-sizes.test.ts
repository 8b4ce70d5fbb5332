import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDisks, parseRam } from './machine-sizes.ts';

const none = 'none';
const good: [value: string, ...disks: [size: number, template: string][]][] = [
  ['none'],
  ['32G', [32e9, none]],
  ['1T', [1000e9, none]],
  ['32G[template=ext4],1T', [32e9, 'ext4'], [1e12, none]],
  ['1G[template=hybrid-boot-v],1G[template=hybrid-boot-p]', [1e9, 'hybrid-boot-v'], [1e9, 'hybrid-boot-p']],
  ['2T[template=fat32]', [2e12, 'fat32']],
  ['1000T[template=none]', [1e15, none]],
  ['1G,1G,1G,1G,1G,1G,1G,1G', ...Array.from({ length: 8 }, (): [number, string] => [1e9, none])],
];
for (const [value, ...disks] of good) {
  test(`disks: ${value}`, () =>
    assert.deepEqual(
      parseDisks(value),
      disks.map(([size, template]) => ({ size, template })),
    ));
}

const bad = [
  ...[
    '',
    'None',
    '0G',
    '32',
    '32M',
    '32g',
    '-1G',
    '1.5G',
    '01G',
    '1e3G',
    ' 1G',
    '1G ',
    '1G,',
    ',1G',
    '1G,,1G',
  ],
  ...[
    '1G;1G',
    '1G[',
    '1G[]',
    '1G[ext4]',
    '1G[template=]',
    '1G[template=xfs]',
    '1G[template=ext4',
    '1G[TEMPLATE=ext4]',
  ],
  ...[
    '1G[template=ext4][template=ext4]',
    '1G[template=ext4,template=ext4]',
    '1G[template=__proto__]',
    'none,1G',
  ],
  ...[
    '1001T',
    '3T[template=ext4]',
    '9999999999999G',
    '1G,1G,1G,1G,1G,1G,1G,1G,1G',
    '1G\n',
    '1G\0',
    '1G\u001b[31m',
  ],
];
for (const value of bad) {
  test(`disks: not ${JSON.stringify(value)}`, () => assert.equal(parseDisks(value), undefined));
}

const memory: [string, number | undefined][] = [
  ['512M', 512],
  ['4G', 4096],
  ['128M', 128],
  ['1024G', 1_048_576],
  ...['127M', '1025G', '512', '512m', '0G', '0512M', '1.5G', '-1G', '1T', '', '1G\n', '99999999M'].map(
    (value): [string, undefined] => [value, undefined],
  ),
];
for (const [value, mebibytes] of memory) {
  test(`ram: ${JSON.stringify(value)}`, () => assert.equal(parseRam(value), mebibytes));
}
