import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { UserError } from '../errors.ts';
import { defaultLimits } from '../limits-config.ts';
import { askServer, RootSocket } from './root-socket.ts';

let folder: string;
let socket: RootSocket;
let gone = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-root-socket-'));
  socket = new RootSocket({
    acts: {
      async *count() {
        yield 1;
        yield { two: 2 };
      },
      async *refuse() {
        yield 1;
        throw new UserError('CONFLICT', 'Not now.', 'Wait.');
      },
      async *wait(signal) {
        yield 'waiting';
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        gone += 1;
      },
    },
    limits: defaultLimits().clients,
    log: { info() {}, warn() {}, error() {} },
  });
});
after(async () => {
  await socket.close();
  await rm(folder, { recursive: true });
});

const path = () => join(folder, 'root.sock');

async function all(act: string): Promise<unknown[]> {
  const values = [];
  for await (const value of askServer(path(), act)) values.push(value);
  return values;
}

describe('a socket for root', () => {
  test('is closed to others from the first moment on, and no other file of this process is, meanwhile', async (t) => {
    const order: string[] = [];
    const umask = process.umask;
    t.mock.method(process, 'umask', (mask: number) => {
      order.push(mask === 0o177 ? 'closed' : 'open');
      // Whatever else runs in this process runs later than this.
      if (order.length === 1) queueMicrotask(() => order.push('others'));
      return umask(mask);
    });
    await socket.listen(path());
    assert.deepEqual(order, ['closed', 'open', 'others']);
    assert.equal((await stat(path())).mode & 0o777, 0o600);
  });

  test('answers values in their order', async () => {
    assert.deepEqual(await all('count'), [1, { two: 2 }]);
  });

  test('tells a refusal with its next step', async () => {
    await assert.rejects(all('refuse'), (error) => {
      assert.ok(error instanceof UserError);
      assert.deepEqual([error.code, error.message, error.hint], ['CONFLICT', 'Not now.', 'Wait.']);
      return true;
    });
  });

  test('tells a program of another version that it does not know what it asks', async () => {
    await assert.rejects(all('nonsense'), { code: 'UNAVAILABLE', message: /of another version/ });
  });

  test('is told when who asked has gone', async () => {
    for await (const value of askServer(path(), 'wait')) {
      assert.equal(value, 'waiting');
      break;
    }
    while (gone === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(gone, 1);
  });
});
