import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { blocksOf, HashTree, sizeWithTree } from './hash-tree.ts';

const BLOCK = 4096;

/**
 * Made by cryptsetup 2.6.1 of the same files, filled up to whole blocks: veritysetup format --no-superblock --salt=- --data-blocks=COUNT
 * --hash-offset=BYTES FILE FILE. The root, then SHA-256 of the file with its tree.
 */
const made: [what: string, size: number, root: string, whole: string][] = [
  [
    'a block, which needs no tree',
    BLOCK,
    '9141107b6ed1422839ed97f4674de82ae742ec2f8556c3df948da06930f94393',
    '9141107b6ed1422839ed97f4674de82ae742ec2f8556c3df948da06930f94393',
  ],
  [
    'less than a block',
    100,
    'a7aab229165acc5006038d9c9731ed394f7a0c1ba41757aa218c43639cf6cee1',
    'a7aab229165acc5006038d9c9731ed394f7a0c1ba41757aa218c43639cf6cee1',
  ],
  [
    'two blocks',
    2 * BLOCK,
    '948bda41e510df36dc9f9b9f5e4ce651632d11303b036ba35b051198987486c0',
    'eb15abe64c0d88b193084c8741c7fa04302a5ead006e8ed3ced574f644c9b518',
  ],
  [
    'as many blocks as one of hashes is for',
    128 * BLOCK,
    '7cd571b2d9f6d3ded35093d1c38bb1e0c327e059208f73a12ecfa61303e504aa',
    '911e76b94122d55f0aa114331f127cb91ef1b34782d5f424ee041f881d7c62b5',
  ],
  [
    'one more',
    129 * BLOCK,
    'd9723aea86f8a40dcca6ac6c9877a6418525befaa2698908b85a90a46170572c',
    '7f9ee3cac90809e0839cd6c85380f82cdd420c82082443dda2504b9d5ad3bbca',
  ],
  [
    'a byte more than two levels are for',
    128 * 128 * BLOCK + 1,
    'c2d2ec8c7edd96f03adb0b74e8a36ccb340f0476f959b31212af81e4d698daf6',
    'ec6313e52c10bddb7cc45667df2cb318895a2e588a7a64c0cf00b163636f650c',
  ],
];

const PATTERN = Buffer.from(Array.from({ length: 4097 }, (_, index) => (index * 7) % 251));

for (const [what, size, root, whole] of made) {
  test(`the hash tree of a file is that of cryptsetup: ${what}`, () => {
    const file = Buffer.alloc(size, PATTERN);
    const tree = new HashTree();
    for (let at = 0; at < size; at += 100_000) tree.add(file.subarray(at, at + 100_000));
    const { root: found, tail } = tree.end();
    assert.equal(found, root);
    assert.equal(createHash('sha256').update(file).update(tail).digest('hex'), whole);
    assert.equal(sizeWithTree(size), file.length + tail.length);
    assert.equal(blocksOf(size), Math.ceil(size / BLOCK));
  });
}
