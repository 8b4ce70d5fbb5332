import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { afterEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type PingEvent, ping } from './ping.ts';

const never = new AbortController().signal;

async function all(events: AsyncIterable<PingEvent>): Promise<{ lines: string; status: number | undefined }> {
  let lines = '';
  let status: number | undefined;
  for await (const event of events) {
    if (event.type === 'line') lines += `${event.line}\n`;
    else status = event.status;
  }
  return { lines, status };
}

/** Command lines of what this process started. */
function programs(): string {
  return execFileSync('ps', ['--ppid', String(process.pid), '-o', 'args=']).toString();
}

afterEach(() => assert.doesNotMatch(programs(), /ping/, 'no ping is left'));

test('a machine that answers, and one that does not', async () => {
  const answers = await all(ping('127.0.0.1', 2, never));
  assert.match(answers.lines, /^2 packets transmitted, 2 received/m);
  assert.equal(answers.status, 0);
  const wrong = await all(ping('999.0.0.1', 1, never));
  assert.match(wrong.lines, /999\.0\.0\.1/);
  assert.equal(wrong.status, 2);
});

test('who leaves ends it: before the first line, after it, and without waiting for anything', async () => {
  const unhandled: unknown[] = [];
  process.on('unhandledRejection', (reason) => unhandled.push(reason));
  for (const moment of ['before', 'at once', 'after a line']) {
    const caller = new AbortController();
    if (moment === 'before') caller.abort();
    const events = ping('127.0.0.1', 100, caller.signal);
    if (moment === 'at once') setImmediate(() => caller.abort());
    const read = async () => {
      for await (const _event of events) if (moment === 'after a line') caller.abort();
    };
    await assert.rejects(read, { name: 'AbortError' });
  }
  // A caller that stops reading.
  for await (const _event of ping('127.0.0.1', 100, never)) break;
  while (/ping/.test(programs())) await delay(5);
  assert.deepEqual(unhandled, []);
});
