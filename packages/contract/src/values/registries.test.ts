import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { imageLink, registryLabel } from '../schemas.ts';
import { formatImageLink, type ImageLink, parseImageLink } from './registries.ts';

const HEX = '0123456789abcdef'.repeat(4);
const registry = (repository: string, more: object = {}) => ({
  ...{ kind: 'registry', label: 'lab', repository },
  ...more,
});

const links: [text: string, link: object | undefined][] = [
  ['walt:ann/exp', { kind: 'platform', owner: 'ann', name: 'exp' }],
  ['walt:ann/exp:v1', { kind: 'platform', owner: 'ann', name: 'exp:v1' }],
  ['walt:exp', undefined],
  ['walt:', undefined],
  ['walt:ann/exp@x', undefined],
  ['lab:exp', registry('exp')],
  ['lab:ann/exp', registry('ann/exp')],
  ['lab:ann/deep/exp:V1.0', registry('ann/deep/exp', { tag: 'V1.0' })],
  [`lab:ann/exp@sha256:${HEX}`, registry('ann/exp', { digest: `sha256:${HEX}` })],
  [`lab:ann/exp:v1@sha256:${HEX}`, undefined],
  ['lab:ann/exp@sha256:12', undefined],
  ['lab:Ann/exp', undefined],
  ['lab:ann//exp', undefined],
  ['lab:/exp', undefined],
  ['lab:ann/../exp', undefined],
  ['lab:-exp', undefined],
  ['lab:exp:', undefined],
  ['lab:exp:-v', undefined],
  ['lab:exp v', undefined],
  ['lab:exp\n', undefined],
  ['--lab:exp', undefined],
  ['LAB:exp', undefined],
  ['exp', undefined],
  [':exp', undefined],
  ['', undefined],
  [`lab:${'a'.repeat(256)}`, undefined],
  ['docker://lab/exp', undefined],
];

for (const [text, link] of links) {
  test(`${JSON.stringify(text.slice(0, 60))} ${link ? 'is' : 'is no'} link`, () => {
    assert.deepEqual(parseImageLink(text), link);
    if (link) assert.equal(formatImageLink(link as ImageLink), text);
    assert.equal(imageLink.safeParse(text).success, link !== undefined);
  });
}

test('a registry is not called like the platform', () => {
  assert.equal(registryLabel.safeParse('walt').success, false);
});

const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const separated = fc
  .tuple(word, fc.array(fc.tuple(fc.constantFrom('.', '_', '__', '-', '---'), word), { maxLength: 3 }))
  .map(([first, rest]) => first + rest.map((pair) => pair.join('')).join(''));
const reference = fc.oneof(
  fc.constant({}),
  fc.record({ tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/) }),
  fc.record({ digest: fc.stringMatching(/^[0-9a-f]{64}$/).map((hex) => `sha256:${hex}`) }),
);

test('what is written is read again', () => {
  fc.assert(
    fc.property(fc.array(separated, { minLength: 1, maxLength: 4 }), reference, (parts, more) => {
      const link = registry(parts.join('/'), more);
      assert.deepEqual(parseImageLink(formatImageLink(link as ImageLink)), link);
    }),
  );
});

test('whatever the text, what is taken is written the same way, and holds no blank and no option', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `lab:${text}`),
      ),
      (text) => {
        const link = parseImageLink(text);
        if (!link) return;
        assert.equal(formatImageLink(link), text);
        assert.doesNotMatch(text, /\s|^-|:-|\/-|\.\.\//);
      },
    ),
  );
});
