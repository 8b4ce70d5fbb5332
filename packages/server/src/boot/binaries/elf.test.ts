import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { inspectElf } from './elf.ts';

/** A header as linkers write it: class, machine, and program headers of the given types. */
function program(bits: 32 | 64, machine: number, types: number[]): Buffer {
  const wide = bits === 64;
  const [header, entry] = wide ? [64, 56] : [52, 32];
  const bytes = Buffer.alloc(Math.max(64, header + entry * types.length));
  bytes.write('\x7fELF', 'latin1');
  bytes[4] = wide ? 2 : 1;
  bytes[5] = 1;
  bytes.writeUInt16LE(machine, 18);
  if (wide) bytes.writeBigUInt64LE(BigInt(header), 32);
  else bytes.writeUInt32LE(header, 28);
  bytes.writeUInt16LE(entry, wide ? 54 : 42);
  bytes.writeUInt16LE(types.length, wide ? 56 : 44);
  for (const [i, type] of types.entries()) bytes.writeUInt32LE(type, header + i * entry);
  return bytes;
}

describe('a program', () => {
  const LOAD = 1;
  const INTERPRETER = 3;
  const rows: [name: string, bytes: Buffer, expected: ReturnType<typeof inspectElf>][] = [
    ['static arm64', program(64, 183, [LOAD, LOAD]), { architecture: 'arm64', isStatic: true }],
    ['dynamic amd64', program(64, 62, [LOAD, INTERPRETER]), { architecture: 'amd64', isStatic: false }],
    ['static armhf', program(32, 40, [LOAD]), { architecture: 'armhf', isStatic: true }],
    ['dynamic i386', program(32, 3, [INTERPRETER]), { architecture: 'i386', isStatic: false }],
    ['of an unknown machine', program(64, 243, [LOAD]), undefined],
    ['cut short', program(64, 62, [LOAD, LOAD]).subarray(0, 80), undefined],
    ['that is a script', Buffer.from(`#!/bin/sh\n${' '.repeat(60)}`), undefined],
    ['that is empty', Buffer.alloc(0), undefined],
  ];
  for (const [name, bytes, expected] of rows) {
    test(name, () => assert.deepEqual(inspectElf(bytes), expected));
  }
});

test('busybox-static of this machine is static', async () => {
  assert.equal(inspectElf(await readFile('/bin/busybox'))?.isStatic, true);
});
