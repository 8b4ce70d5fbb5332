import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseImage, parseConfiguration, parseManifest } from './oci-manifest.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const blob = (letter: string, size: number) => ({ digest: digest(letter), size });

const manifest = { schemaVersion: 2, config: blob('c', 10), layers: [blob('1', 20), blob('2', 30)] };

const image = (letter: string, architecture: string, variant?: string, os = 'linux') => ({
  ...{ ...blob(letter, 1), platform: { architecture, os, ...(variant && { variant }) } },
});

const index = {
  manifests: [
    image('a', 'amd64'),
    image('b', 'arm', 'v5'),
    image('c', 'arm', 'v7'),
    image('d', 'arm64', 'v8'),
    image('e', 's390x'),
    image('f', 'amd64', undefined, 'windows'),
    // What buildkit adds: no image.
    image('0', 'unknown', undefined, 'unknown'),
  ],
};

test('reads a manifest', () => {
  assert.deepEqual(parseManifest(JSON.stringify(manifest), 'x'), {
    ...{ kind: 'manifest', config: blob('c', 10), layers: [blob('1', 20), blob('2', 30)] },
  });
});

for (const [architecture, chosen] of [
  ['amd64', 'a'],
  ['armhf', 'c'],
  ['arm64', 'd'],
] as const) {
  test(`takes the image for ${architecture} out of an index`, () => {
    const parsed = parseManifest(JSON.stringify(index), 'x');
    assert.ok(parsed.kind === 'index');
    assert.equal(chooseImage(parsed, architecture, 'x'), digest(chosen));
  });
}

test('an index without that architecture tells what it has', () => {
  const parsed = parseManifest(JSON.stringify({ manifests: index.manifests.slice(1, 5) }), 'lab:x');
  assert.ok(parsed.kind === 'index');
  assert.throws(() => chooseImage(parsed, 'i386', 'lab:x'), {
    ...{ code: 'INVALID', message: 'lab:x has no image for i386.' },
    hint: 'It has one for armhf, arm64: pass --arch.',
  });
});

for (const [what, text] of [
  ['no JSON', 'x'],
  ['an old manifest', '{"schemaVersion":1,"fsLayers":[]}'],
  ['a digest that is none', JSON.stringify({ ...manifest, config: { digest: '../x', size: 1 } })],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseManifest(text, 'lab:x'), { code: 'INVALID', message: /^lab:x is not an image/ });
  });
}

const configuration = (more: object) =>
  JSON.stringify({ architecture: 'arm64', os: 'linux', rootfs: { diff_ids: [digest('1')] }, ...more });

test('reads a configuration, and refuses what no node can boot', () => {
  assert.deepEqual(parseConfiguration(configuration({}), 'x'), {
    ...{ architecture: 'arm64', diffIds: [digest('1')], labels: {} },
  });
  assert.throws(() => parseConfiguration(configuration({ os: 'windows' }), 'x'), { message: /"windows"/ });
  assert.throws(() => parseConfiguration(configuration({ architecture: 's390x' }), 'x'), {
    message: /"s390x"/,
  });
  assert.throws(() => parseConfiguration('{}', 'x'), { message: /not an image/ });
});
