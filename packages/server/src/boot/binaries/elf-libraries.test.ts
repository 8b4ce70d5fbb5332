import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { run } from '../../platform/index.ts';
import { dynamicNeeds } from './elf-libraries.ts';

test('a program names its loader and its libraries, as the loader itself sees them', async () => {
  const program = process.execPath;
  const { interpreter, libraries } = dynamicNeeds(await readFile(program));
  assert.match(interpreter ?? '', /^\/lib.*\/ld-linux/);
  const listed = await run(['ldd', program]);
  assert.ok(libraries.includes('libc.so.6'));
  for (const library of libraries) assert.ok(listed.includes(library), library);
});

test('a static program needs nothing', async () => {
  assert.deepEqual(dynamicNeeds(await readFile('/bin/busybox')), { interpreter: undefined, libraries: [] });
});

test('what is no program is refused', () => {
  assert.throws(() => dynamicNeeds(Buffer.from('#!/bin/sh\n'.repeat(10))), RangeError);
});
