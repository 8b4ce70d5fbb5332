import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootstrapDocument } from './bootstrap.ts';
import { exampleTarget } from './example-target.ts';

test('layers come top first, the platform layer above the image', () => {
  assert.equal(
    bootstrapDocument(exampleTarget, 1_750_000_000.7),
    `name=vnode1
time=1750000000
generation=3
token=Zm9vYmFy
volumes=10.73.0.1:/volumes
layer=platform-0123456789abcdef.erofs
layer=sha256-${'2'.repeat(64)}.erofs
layer=sha256-${'1'.repeat(64)}.erofs
persist=10.73.0.1:/persist/12
`,
  );
});
