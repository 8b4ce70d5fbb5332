import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromOci, platformOptions, runsNatively, serverArchitecture } from './architectures.ts';

test("OCI's names and Debian's", () => {
  assert.deepEqual(['amd64', '386', 'arm64', 'arm'].map(fromOci), ['amd64', 'i386', 'arm64', 'armhf']);
  assert.throws(() => fromOci('s390x'), { code: 'INVALID', message: /s390x/ });
  assert.deepEqual(platformOptions('armhf'), ['--os', 'linux', '--arch', 'arm', '--variant', 'v7']);
});

test('what needs no emulation', () => {
  assert.equal(serverArchitecture('x64'), 'amd64');
  assert.throws(() => serverArchitecture('s390x'), { code: 'UNAVAILABLE' });
  assert.deepEqual(
    (['amd64', 'i386', 'arm64', 'armhf'] as const).map((image) => runsNatively(image, 'amd64')),
    [true, true, false, false],
  );
});
