import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExposedPort, parseExposed } from './exposed-ports.ts';

const rows: [value: string, ports: ExposedPort[] | undefined][] = [
  ['none', []],
  ['80:8080', [{ node: 80, server: 8080 }]],
  [
    '80:8080,80:8081,65535:1',
    [
      { node: 80, server: 8080 },
      { node: 80, server: 8081 },
      { node: 65_535, server: 1 },
    ],
  ],
  ['80:8080,81:8080', undefined],
  ['', undefined],
  ['80', undefined],
  ['80:', undefined],
  [':80', undefined],
  ['0:80', undefined],
  ['80:0', undefined],
  ['80:65536', undefined],
  ['65536:80', undefined],
  ['080:80', undefined],
  ['-1:80', undefined],
  ['1e3:80', undefined],
  ['80:80:80', undefined],
  ['80:80,', undefined],
  ['80:80,none', undefined],
  ['80 :80', undefined],
  ['80:80\n', undefined],
  [Array.from({ length: 33 }, (_, at) => `80:${2000 + at}`).join(','), undefined],
];
for (const [value, ports] of rows) {
  test(`${JSON.stringify(value)} is ${ports ? 'a value' : 'none'}`, () =>
    assert.deepEqual(parseExposed(value), ports));
}
