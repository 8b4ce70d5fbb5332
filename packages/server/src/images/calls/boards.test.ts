import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Architecture } from '@walt/contract';
import { ExternalError, UserError } from '../../platform/index.ts';
import { boardFor, lackOf } from './boards.ts';

describe('a default image is asked for', () => {
  const rows: [model: string, architecture: Architecture | undefined, answer: string | RegExp][] = [
    ['rpi-4-b', undefined, 'arm64'],
    ['rpi-4-b', 'armhf', 'arm64'],
    ['pc-x86-64', 'i386', 'amd64'],
    ['rpi-5-b', 'armhf', /rpi-5-b boots images for arm64, not for armhf/],
    ['rpi-4-b', 'amd64', /rpi-4-b boots images for arm64, armhf, not for amd64/],
    ['rpi-9', undefined, /No board of the model rpi-9 is known/],
    ['', undefined, /No board of the model {2}is known/],
  ];
  for (const [model, architecture, answer] of rows) {
    test(`${model || 'nothing'} ${architecture ?? ''}`, () => {
      const ask = () => boardFor(model, architecture).architecture;
      if (typeof answer === 'string') assert.equal(ask(), answer);
      else assert.throws(ask, answer);
    });
  }
});

describe('firmware for a board', () => {
  const options = { renew: false, signal: new AbortController().signal };
  const failing = (error: Error) => ({
    ensure: async () => {
      throw error;
    },
  });
  test('is there', async () => assert.equal(await lackOf({ ensure: async () => {} }, options), null));
  test('may not be fetched: the user is told, and has his image', async () => {
    const refusal = new UserError('UNAVAILABLE', 'Not allowed.', 'Allow it.');
    assert.equal(await lackOf(failing(refusal), options), 'Not allowed. Allow it.');
  });
  test('cannot be fetched: that is an error', async () => {
    await assert.rejects(
      lackOf(failing(new ExternalError(['apt-get'], 100, 'no mirror')), options),
      /no mirror/,
    );
  });
});
