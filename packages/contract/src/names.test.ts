import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageVersion } from './names.ts';

const HEX = '0123456789abcdef'.repeat(4);

const versions: [text: string, valid: boolean][] = [
  ['exp', true],
  ['ann/exp:v1', true],
  ['exp@{0}', true],
  ['ann/exp:v1@{12}', true],
  [`exp@sha256:${HEX}`, true],
  ['exp@sha256:0123456', true],
  ['exp@sha256:012345', false],
  [`exp@sha256:${HEX}0`, false],
  ['exp@sha256:0123456G', false],
  ['exp@', false],
  ['exp@1', false],
  ['exp@{}', false],
  ['exp@{-1}', false],
  ['exp@{123456}', false],
  ['exp@{1}@{1}', false],
  ['@{1}', false],
  ['exp @{1}', false],
  ['exp@{1}\n', false],
  ['-exp', false],
  ['../exp', false],
  ['a/b/c', false],
  ['$(id)', false],
];

for (const [text, valid] of versions) {
  test(`${JSON.stringify(text)} is ${valid ? 'a' : 'no'} version of an image`, () => {
    assert.equal(imageVersion.safeParse(text).success, valid);
  });
}
