import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostname } from './shell-container.ts';

const names: [image: string, host: string][] = [
  ['ann/exp1', 'exp1'],
  ['ann/My.image_2:v1.0', 'my-image-2-v1-0'],
  ['ann/a--', 'a'],
  ['ann/---', 'image'],
  [`ann/${'x'.repeat(62)}.y`, 'x'.repeat(62)],
];

test('a host name reminds of the image', () => {
  for (const [image, host] of names) assert.equal(hostname(image), host);
});
