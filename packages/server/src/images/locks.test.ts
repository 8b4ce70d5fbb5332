import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/platform.ts';
import { KeyedLock, withFileLock } from '../platform/index.ts';
import { SharedLock } from './locks.ts';

/** A deed that notes when it begins, and ends when it is told to. */
function deed(log: string[], name: string) {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const act = async () => {
    log.push(name);
    begun.resolve();
    await gate.promise;
    log.push(`/${name}`);
  };
  return { act, begun: begun.promise, end: gate.resolve };
}

test('many share; one that is alone waits for them, keeps nobody waiting meanwhile, and later ones wait for it', async () => {
  const lock = new SharedLock();
  const log: string[] = [];
  const [a, b, alone, c, other] = ['a', 'b', 'alone', 'c', 'other'].map((name) => deed(log, name));
  if (!a || !b || !alone || !c || !other) throw new TypeError();
  const all = [lock.share(a.act), lock.alone(alone.act), lock.share(b.act), lock.alone(other.act)];
  await b.begun;
  b.end();
  a.end();
  await alone.begun;
  assert.deepEqual(log, ['a', 'b', '/b', '/a', 'alone']);
  all.push(lock.share(c.act));
  c.end();
  other.end();
  alone.end();
  await Promise.all(all);
  assert.equal(log[5], '/alone');
  assert.match(log.slice(6).join(' '), /^(c \/c other \/other|other \/other c \/c)$/);
});

test('one at a time per key, also after a failure', async () => {
  const lock = new KeyedLock();
  const log: string[] = [];
  const failing = lock.hold('x', async () => {
    throw new Error('no');
  });
  const [one, two, other] = ['one', 'two', 'other'].map((name) => deed(log, name));
  if (!one || !two || !other) throw new TypeError();
  const all = [lock.hold('x', one.act), lock.hold('x', two.act), lock.hold('y', other.act)];
  await assert.rejects(failing);
  await Promise.all([one.begun, other.begun]);
  assert.deepEqual([...log].sort(), ['one', 'other']);
  other.end();
  one.end();
  two.end();
  await Promise.all(all);
  assert.ok(log.indexOf('/one') < log.indexOf('two'));
});

test('a file lock keeps another holder out, and can be given up', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'lock');
  const { signal } = new AbortController();
  const log: string[] = [];
  const first = deed(log, 'first');
  const waits = Promise.withResolvers<void>();
  try {
    const holding = withFileLock(file, signal, () => log.push('first waits'), first.act);
    await first.begun;
    const second = withFileLock(file, signal, waits.resolve, async () => log.push('second'));
    await waits.promise;
    const abort = new AbortController();
    const third = withFileLock(
      file,
      abort.signal,
      () => abort.abort(new Error('given up')),
      async () => log.push('third'),
    );
    await assert.rejects(third, { message: 'given up' });
    first.end();
    await Promise.all([holding, second]);
    assert.deepEqual(log, ['first', '/first', 'second']);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a lock file that cannot be made is an error', async () => {
  const { signal } = new AbortController();
  await assert.rejects(
    withFileLock(
      '/nonexistent/lock',
      signal,
      () => {},
      async () => {},
    ),
    /flock failed .*\/nonexistent\/lock/,
  );
});
