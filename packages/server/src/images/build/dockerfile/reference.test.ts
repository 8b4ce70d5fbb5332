import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readReference } from './reference.ts';

const hex = 'a'.repeat(64);
const own = (owner: string, name: string, version?: object) => ({ kind: 'own', owner, name, version });
const host = (at: string, repository: string, tag?: string, digest?: string) => ({
  ...{ kind: 'host', host: at, repository, tag, digest },
});
const link = (label: string, repository: string, more: object = {}) => ({
  ...{ kind: 'link', link: { kind: 'registry', label, repository, ...more } },
});

const cases: [text: string, readings: object[]][] = [
  ['lab', [own('ann', 'lab'), host('docker.io', 'library/lab')]],
  ['lab:v1', [own('ann', 'lab:v1'), link('lab', 'v1'), host('docker.io', 'library/lab', 'v1')]],
  ['bob/lab', [own('bob', 'lab'), host('docker.io', 'bob/lab')]],
  [
    'waltplatform/pc-x86-64-default',
    [own('waltplatform', 'pc-x86-64-default'), host('docker.io', 'waltplatform/pc-x86-64-default')],
  ],
  ['lab@{2}', [own('ann', 'lab', { back: 2 })]],
  ['lab@sha256:abcdef0', [own('ann', 'lab', { digest: 'sha256:abcdef0' })]],
  [
    `lab@sha256:${hex}`,
    [
      own('ann', 'lab', { digest: `sha256:${hex}` }),
      host('docker.io', 'library/lab', undefined, `sha256:${hex}`),
    ],
  ],
  ['walt:bob/lab', [own('bob', 'lab')]],
  ['hub:debian:12', [link('hub', 'debian', { tag: '12' })]],
  ['ghcr.io/a/b:1', [host('ghcr.io', 'a/b', '1')]],
  ['localhost:5000/a', [link('localhost', '5000/a'), host('localhost:5000', 'a')]],
  ['index.docker.io/debian', [own('index.docker.io', 'debian'), host('docker.io', 'library/debian')]],
  ['docker://x/y', []],
  ['containers-storage:[overlay@/x]y', []],
  ['../x', []],
  ['-x', []],
  ['dir:/etc', []],
  [hex, [host('docker.io', `library/${hex}`)]],
  ['', []],
];

for (const [text, readings] of cases) {
  test(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(readReference(text, 'ann'), readings));
}
