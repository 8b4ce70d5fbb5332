import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorCode, errors } from '@walt/contract';
import { ExternalError, UserError } from '../platform/index.ts';
import { toApiError } from './errors.ts';

const log = { info() {}, warn() {}, error() {} };

describe('what clients are told', () => {
  for (const code of Object.keys(errors) as ErrorCode[]) {
    test(`of ${code} is one sentence, whatever its parts end with`, () => {
      for (const [given, told] of [
        ['It broke.', 'It broke.'],
        ['It broke: no space left on device..', 'It broke: no space left on device.'],
        ['It broke …\n', 'It broke …'],
        ['Did it break?.', 'Did it break?'],
      ] as const) {
        const error = toApiError(new UserError(code, given, given), log);
        assert.deepEqual([error.code, error.message, error.data.hint], [code, told, told]);
        assert.equal(error.status, errors[code].status);
      }
    });
  }

  test('of programs and of mistakes of ours ends with one mark, too', () => {
    assert.match(toApiError(new ExternalError(['cp'], 1, 'cp: no..'), log).message, /: cp: no\.$/);
    assert.match(toApiError(new Error('x'), log).message, /mistake\.$/);
  });
});
