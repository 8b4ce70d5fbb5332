import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { mmdebstrapCommand, parsePackages, RECIPE, recipeKey } from './recipe.ts';

const apt = {
  release: 'bookworm',
  sources: ['deb http://debian.test bookworm main'],
  options: ['Acquire::Retries "3";'],
};

test('packages may be for some architectures only', () => {
  const text = '# comment\n\nless\n[amd64] kernel-a\n[arm64 armhf] kernel-b # why\nlibstdc++6\n';
  assert.deepEqual(parsePackages(text, 'amd64'), ['less', 'kernel-a', 'libstdc++6']);
  assert.deepEqual(parsePackages(text, 'armhf'), ['less', 'kernel-b', 'libstdc++6']);
});

test('the recipe has a kernel, an init and an SSH server for each architecture that has a default image', async () => {
  const text = await readFile(join(RECIPE, 'packages'), 'utf8');
  for (const [architecture, kernels] of [
    // For PCs, and for virtual nodes.
    ['amd64', ['linux-image-amd64', 'linux-image-cloud-amd64']],
    ['arm64', ['linux-image-arm64']],
    ['armhf', ['linux-image-armmp']],
  ] as const) {
    const packages = parsePackages(text, architecture);
    assert.deepEqual(
      packages.filter((name) => name.startsWith('linux-image-')),
      kernels,
    );
    assert.ok(packages.includes('systemd-sysv'));
    assert.ok(packages.includes('openssh-server'));
  }
});

test('the command line takes its sources from standard input', () => {
  const command = mmdebstrapCommand({
    architecture: 'arm64',
    packages: ['a', 'b'],
    apt,
    tar: '/cache/x.tar',
  });
  assert.deepEqual(command.slice(-3), ['bookworm', '/cache/x.tar', '-']);
  assert.ok(command.includes('--include=a,b'));
  assert.ok(command.includes('--architectures=arm64'));
  assert.ok(command.includes('--aptopt=Acquire::Retries "3";'));
});

test('another recipe has another key', async () => {
  const key = (packages: string[]) =>
    recipeKey(mmdebstrapCommand({ architecture: 'amd64', packages, apt, tar: '' }));
  assert.match(await key(['a']), /^[0-9a-f]{16}$/);
  assert.equal(await key(['a']), await key(['a']));
  assert.notEqual(await key(['a']), await key(['b']));
});

test('how packages are reached makes no difference to the key', async () => {
  const key = (options: string[]) => {
    const reached = { release: apt.release, options };
    return recipeKey(mmdebstrapCommand({ architecture: 'amd64', packages: ['a'], apt: reached, tar: '' }));
  };
  assert.equal(await key(apt.options), await key([]));
});
