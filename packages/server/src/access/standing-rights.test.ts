import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { UserError } from '../platform/index.ts';
import { LostRight, StandingRights } from './standing-rights.ts';

const never = () => new Promise<never>(() => {});
const refusal = new UserError('FORBIDDEN', 'Node a belongs to bob.', 'Ask bob.');

describe('a right in use', () => {
  let rights: StandingRights;
  let journal: string[];
  let refused: boolean;
  const check = async () => {
    if (refused) throw refusal;
  };

  beforeEach(() => {
    journal = [];
    refused = false;
    const write = (message: string) => journal.push(message);
    rights = new StandingRights({ info: write, warn: write, error: write });
  });
  afterEach(() => rights.close());

  test('gives what the work gives, and throws what it throws', async () => {
    assert.equal(await rights.whileHeld(check, async () => 5), 5);
    await assert.rejects(
      rights.whileHeld(check, async () => {
        throw new TypeError('its own');
      }),
      TypeError,
    );
    refused = true;
    await rights.review(); // of nothing: both are over
  });

  test('is asked before the work begins', async () => {
    refused = true;
    let begun = false;
    const work = rights.whileHeld(check, async () => {
      begun = true;
    });
    await assert.rejects(work, refusal);
    assert.equal(begun, false);
  });

  test('ends with it, in the words of the refusal', async () => {
    const work = rights.whileHeld(check, never);
    await rights.review();
    refused = true;
    await rights.review();
    await assert.rejects(work, (error: unknown) => {
      assert.ok(error instanceof LostRight);
      const { code, message, hint } = error;
      assert.deepEqual([code, message, hint], [refusal.code, refusal.message, refusal.hint]);
      return true;
    });
  });

  test('that is lost while it is asked for the first time is not granted', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const slow = async () => {
      const wasRefused = refused;
      asked.resolve();
      await answer.promise;
      if (wasRefused) throw refusal;
    };
    const work = rights.whileHeld(slow, never);
    await asked.promise;
    refused = true;
    const reviewed = rights.review();
    answer.resolve();
    await reviewed;
    await assert.rejects(work, LostRight);
  });

  test('stays when it cannot be asked for, and the journal tells', async () => {
    let broken = false;
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    const brittle = async () => {
      await check();
      if (broken) throw new Error('database is locked');
    };
    const work = rights.whileHeld(brittle, () => {
      resolve();
      return never();
    });
    await begun;
    broken = true;
    await rights.review();
    assert.deepEqual(journal, ['cannot review a right in use']);
    broken = false;
    refused = true;
    await rights.review();
    await assert.rejects(work, LostRight);
  });

  test('is asked from time to time without a word from us', async () => {
    using own = { rights: new StandingRights(silent, 10), [Symbol.dispose]: () => own.rights.close() };
    const work = own.rights.whileHeld(check, never);
    refused = true;
    // Its timer does not keep a process alive.
    const alive = setInterval(() => {}, 1000);
    await assert.rejects(work, LostRight);
    clearInterval(alive);
  });
});

const silent = { info() {}, warn() {}, error() {} };
