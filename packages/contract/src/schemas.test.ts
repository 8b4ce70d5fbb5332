import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageVersion, newNodeName, nodeName } from './schemas.ts';

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

const nodeNames: [text: string, valid: boolean, free: boolean][] = [
  ['vnode1', true, true],
  ['node-b827eb', true, true],
  ['walter', true, true],
  ['servers', true, true],
  ['deadbeef', true, true],
  ['my-nodes', true, false],
  ['booted-image', true, false],
  // What hosts files and DNS say of the server.
  ['server', true, false],
  ['walt', true, false],
  ['walt-server', true, false],
  ['localhost', true, false],
  ['ip6-loopback', true, false],
  // What another node's host key, or its files, are called.
  ['walt-node-2', true, false],
  ['walt-node-2-0123456789abcdef', true, false],
  ['b8-27-eb-00-00-01', true, false],
  ['b827eb000001', true, false],
  // What could be an address, an option, a line of another file.
  ['10', false, false],
  ['1a', false, false],
  ['10.73.0.5', false, false],
  ['fe80::1', false, false],
  ['-oProxyCommand=id', false, false],
  ['a b', false, false],
  ['ab\n', false, false],
  ['ab\nHost x', false, false],
  ['../ab', false, false],
  ['a'.repeat(64), false, false],
];

for (const [text, valid, free] of nodeNames) {
  test(`${JSON.stringify(text)} is ${valid ? 'a' : 'no'} node's name, ${free ? '' : 'not '}to be given`, () => {
    assert.equal(nodeName.safeParse(text).success, valid);
    assert.equal(newNodeName.safeParse(text).success, free);
  });
}
