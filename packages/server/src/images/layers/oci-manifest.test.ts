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

test('refuses layers that lie elsewhere, and too many', () => {
  const elsewhere = { ...manifest, layers: [{ ...blob('1', 20), urls: ['http://127.0.0.1/'] }] };
  assert.throws(() => parseManifest(JSON.stringify(elsewhere), 'x'), {
    message: /do not lie in its registry/,
  });
  const none = { ...manifest, layers: [{ ...blob('1', 20), urls: [] }] };
  assert.equal(parseManifest(JSON.stringify(none), 'x').kind, 'manifest');
  const layers = Array.from({ length: 128 }, () => blob('1', 20));
  assert.throws(() => parseManifest(JSON.stringify({ ...manifest, layers }), 'x'), { message: /128 layers/ });
});

test('refuses what is nested deeply, or has no sizes, in time', () => {
  for (const text of [
    '['.repeat(1_000_000),
    `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`,
    '{"a":'.repeat(1e5),
  ]) {
    assert.throws(() => parseManifest(text, 'x'), { code: 'INVALID' });
  }
  for (const size of [-1, 1.5, 1e300, '20', null]) {
    const sized = { ...manifest, layers: [{ digest: digest('1'), size }] };
    assert.throws(() => parseManifest(JSON.stringify(sized), 'x'), { code: 'INVALID' });
  }
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
