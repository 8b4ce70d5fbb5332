import { createHash } from 'node:crypto';

/** Bytes of a block, of data and of the tree. */
const BLOCK = 4096;
const HASH = 32;

/**
 * The hash tree of a file, as dm-verity reads it: SHA-256 of each block; of the blocks that these fill; and so on, until one block is
 * left, whose hash is the root (Documentation/admin-guide/device-mapper/verity.rst; format 1, without a salt). The upper levels come
 * first.
 */
export class HashTree {
  readonly #leaves: Buffer[] = [];
  /** What is less than a block. */
  #rest: Buffer = Buffer.alloc(0);

  /** The next bytes of the file. */
  add(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const whole = all.length - (all.length % BLOCK);
    this.#leaves.push(hashesOf(all.subarray(0, whole)));
    this.#rest = Buffer.from(all.subarray(whole));
  }

  /** `tail`: what comes behind the file, so that it ends with a whole block, and then the tree. `root` in hexadecimal digits. */
  end(): { root: string; tail: Buffer } {
    const padding = Buffer.alloc(this.#rest.length === 0 ? 0 : BLOCK - this.#rest.length);
    this.add(padding);
    let hashes: Buffer = Buffer.concat(this.#leaves);
    const levels: Buffer[] = [];
    while (hashes.length > HASH) {
      const level = Buffer.concat([hashes], blocksOf(hashes.length) * BLOCK);
      levels.unshift(level);
      hashes = hashesOf(level);
    }
    return { root: hashes.toString('hex'), tail: Buffer.concat([padding, ...levels]) };
  }
}

/** Blocks of a file, the last of which may be filled up. */
export function blocksOf(size: number): number {
  return Math.ceil(size / BLOCK);
}

/** Bytes of a file with its tree behind it. */
export function sizeWithTree(size: number): number {
  let blocks = blocksOf(size);
  for (let level = blocks; level > 1; blocks += level) level = blocksOf(level * HASH);
  return blocks * BLOCK;
}

/** Of each block. */
function hashesOf(blocks: Buffer): Buffer {
  const hashes = Buffer.alloc((blocks.length / BLOCK) * HASH);
  for (let at = 0; at < blocks.length; at += BLOCK) {
    const hash = createHash('sha256').update(blocks.subarray(at, at + BLOCK));
    hash.digest().copy(hashes, (at / BLOCK) * HASH);
  }
  return hashes;
}
