import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  fullName,
  isImageName,
  isImageReference,
  isImageVersion,
  parseImageLocation,
  parseImageReference,
  parseImageVersion,
  parseNodeLocation,
  withoutTag,
} from './images.ts';

const HEX = '0123456789abcdef'.repeat(4);

test('whose image a reference means', () => {
  const cases: [reference: string, owner: string, name: string][] = [
    ['exp', 'ann', 'exp'],
    ['exp:v1', 'ann', 'exp:v1'],
    ['bob/exp:v1', 'bob', 'exp:v1'],
  ];
  for (const [reference, owner, name] of cases) {
    assert.ok(isImageReference(reference));
    assert.deepEqual(parseImageReference(reference, 'ann'), { owner, name });
  }
});

test('which version of it', () => {
  const exp = { owner: 'bob', name: 'exp:v1' };
  const cases: [text: string, version: object | undefined][] = [
    ['bob/exp:v1', undefined],
    ['bob/exp:v1@{0}', { back: 0 }],
    ['bob/exp:v1@{12}', { back: 12 }],
    ['bob/exp:v1@sha256:0123456', { digest: 'sha256:0123456' }],
    [`bob/exp:v1@sha256:${HEX}`, { digest: `sha256:${HEX}` }],
  ];
  for (const [text, version] of cases) {
    assert.ok(isImageVersion(text));
    assert.deepEqual(parseImageVersion(text, 'ann'), { ...exp, version });
  }
});

test('a name, with a tag or without, is what stands before and behind its owner', () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,20})?$/);
  const owner = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9._-]{0,31}$/);
  fc.assert(
    fc.property(owner, name, (who, what) => {
      const image = { owner: who, name: what };
      assert.deepEqual(parseImageReference(fullName(image), 'ann'), image);
      assert.ok(what.startsWith(withoutTag(what)));
      assert.ok(!withoutTag(what).includes(':'));
    }),
  );
});

test('what "default" means is no image that a user can have', () => {
  for (const name of ['default', 'default:v1']) assert.equal(isImageName(name), false);
  for (const name of ['default-2', 'exp:default']) assert.equal(isImageName(name), true);
});

test('a reference is bounded', () => {
  assert.equal(isImageReference(`${'a'.repeat(32)}/${'b'.repeat(63)}:${'c'.repeat(63)}`), true);
  for (const text of [`${'a'.repeat(33)}/exp`, 'b'.repeat(64), `exp:${'c'.repeat(64)}`]) {
    assert.equal(isImageReference(text), false);
  }
});

test('locations on nodes, as scp reads them', () => {
  const cases: [string, string | undefined, string][] = [
    ['file', undefined, 'file'],
    ['vnode1:/etc', 'vnode1', '/etc'],
    ['vnode1:', 'vnode1', ''],
    ['./a:b', undefined, './a:b'],
    ['/a:b', undefined, '/a:b'],
    [':x', undefined, ':x'],
  ];
  for (const [text, remote, path] of cases) assert.deepEqual(parseNodeLocation(text), { remote, path }, text);
});

test('locations in images, whose names may have an owner and a tag', () => {
  const cases: [string, string | undefined, string][] = [
    ['debian:/etc', 'debian', '/etc'],
    ['debian:v2:/etc', 'debian:v2', '/etc'],
    ['bob/x:/a:b', 'bob/x', '/a:b'],
    ['j.doe/img:/etc', 'j.doe/img', '/etc'],
    ['J-R.Doe_2/img:v1:/etc', 'J-R.Doe_2/img:v1', '/etc'],
    ['../img:/etc', undefined, '../img:/etc'],
    ['debian:relative', undefined, 'debian:relative'],
    ['./debian:/etc', undefined, './debian:/etc'],
    ['/debian:/etc', undefined, '/debian:/etc'],
    ['debian@{1}:/etc', undefined, 'debian@{1}:/etc'],
    [':/etc', undefined, ':/etc'],
    ['debian:/a\nb', 'debian', '/a\nb'],
  ];
  for (const [text, remote, path] of cases)
    assert.deepEqual(parseImageLocation(text), { remote, path }, text);
});
