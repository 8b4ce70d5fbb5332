import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ExternalError } from '../errors.ts';
import { attempt, run } from './exec.ts';
import { streamProgram } from './stream-program.ts';

const sh = (script: string, ...words: string[]) => ['sh', '-c', script, 'sh', ...words];

/** Live processes that this one started, and theirs. */
function children(pid: number | string = process.pid): number[] {
  const found: number[] = [];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const direct = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean);
    found.push(...direct.map(Number));
  }
  return found;
}

let unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
  unhandled = [];
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
});
afterEach(async () => {
  await delay(0); // rejections are told in a turn of their own
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
  assert.deepEqual(unhandled, [], 'nothing is unhandled');
  assert.deepEqual(children(), [], 'no child is left');
});

function isExternal(pattern: RegExp, status?: number | null) {
  return (error: unknown) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.match(error.message, pattern);
    if (status !== undefined) assert.equal(error.status, status);
    return true;
  };
}

test('a program that does well: input, output, status, environment', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'walt-stream-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = streamProgram(sh('cat; echo "$WORD"; pwd'), {
    stdin: Buffer.from('input '),
    env: { WORD: ' word' },
    cwd: folder,
  });
  assert.equal(await text(program.stdout), `input  word\n${folder}\n`);
  assert.equal(await program.ended, 0);
});

test('what is written to stdin reaches it, and gigabytes pass without being kept', async () => {
  const program = streamProgram(['cat'], { stdin: 'pipe' });
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  const before = process.memoryUsage.rss();
  void (async () => {
    for (let index = 0; index < 300; index += 1) {
      if (!program.stdin.write(chunk)) await new Promise((resolve) => program.stdin.once('drain', resolve));
    }
    program.stdin.end();
  })();
  let size = 0;
  for await (const part of program.stdout as AsyncIterable<Buffer>) {
    size += part.length;
    if (size % 7 === 0) await delay(1); // a slow reader holds the program back
  }
  assert.equal(size, 300 * 1024 * 1024);
  assert.ok(process.memoryUsage.rss() - before < 150 * 1024 * 1024);
});

test('a program that fails: its output, then its status and last words', async () => {
  const program = streamProgram(sh('echo out; echo why >&2; exit 3'));
  let output = '';
  await assert.rejects(
    async () => {
      for await (const chunk of program.stdout as AsyncIterable<Buffer>) output += chunk;
    },
    isExternal(/^sh failed \(exit status 3\): why$/, 3),
  );
  assert.equal(output, 'out\n');
  await assert.rejects(program.ended, isExternal(/why/, 3));
});

test('statuses that are no failure', async () => {
  const program = streamProgram(['diff', '-', '/dev/null'], { stdin: Buffer.from('a\n'), accept: [0, 1] });
  assert.match(await text(program.stdout), /^< a$/m);
  assert.equal(await program.ended, 1);
});

test('nobody listens to one that fails, is killed, cannot be started, or whose reader goes away', async () => {
  streamProgram(['false']).stdout.resume();
  const killed = streamProgram(['sleep', '60']);
  killed.kill();
  killed.kill();
  streamProgram(['/no/such/program']).stdout.resume();
  streamProgram(['sleep', '60']).stdout.destroy();
  streamProgram(['sleep', '60'], { signal: AbortSignal.abort() });
  streamProgram(['sleep', '60'], { cwd: '/no/such/folder' });
  while (children().length > 0) await delay(5);
});

test('a program that cannot be started', async () => {
  const attempts = [['/no/such/program'], ['/etc/passwd'], ['echo', 'zero\0byte']];
  for (const argv of attempts) {
    const program = streamProgram(argv);
    await assert.rejects(buffer(program.stdout), isExternal(/failed \(not started\)/, null));
    await assert.rejects(program.ended, isExternal(/not started/));
    await assert.rejects(attempt(argv), isExternal(/not started/));
  }
  await assert.rejects(run(['true'], { cwd: '/no/such/folder' }), isExternal(/not started/));
  // The program's own 127 is not taken for that.
  assert.equal((await attempt(sh('exit 127'))).status, 127);
});

test('a program that prints too much is ended', async () => {
  const program = streamProgram(['yes'], { maxOutput: 100_000 });
  let size = 0;
  await assert.rejects(
    async () => {
      for await (const chunk of program.stdout as AsyncIterable<Buffer>) size += chunk.length;
    },
    isExternal(/printed more than 100000 bytes/, null),
  );
  assert.ok(size <= 100_000);
  await assert.rejects(run(['yes'], { maxOutput: 1000 }), isExternal(/more than 1000 bytes/));
});

test('one that prints too much on standard error is kept only in its end, and its lines are bounded', async () => {
  const lengths: number[] = [];
  const program = streamProgram(
    sh('head -c 20000000 /dev/zero | tr "\\0" x >&2; echo >&2; echo end >&2; exit 1'),
    {
      onStderrLine: (line) => lengths.push(line.length),
    },
  );
  await assert.rejects(buffer(program.stdout), isExternal(/end$/, 1));
  assert.ok(program.complaint().length <= 64 * 1024);
  assert.ok(Math.max(...lengths) < 256 * 1024, 'a line in pieces');
  assert.equal(lengths.at(-1), 3);
});

test('one that takes too long is ended', async () => {
  await assert.rejects(run(['sleep', '1000'], { timeout: 100 }), isExternal(/did not end in 0.1 s/));
});

test('one that ignores SIGTERM is killed two seconds later', async () => {
  const abort = new AbortController();
  const program = streamProgram(sh('trap "" TERM; echo ready; while :; do sleep 0.1; done'), {
    signal: abort.signal,
  });
  const read = assert.rejects(buffer(program.stdout), { name: 'AbortError' });
  await new Promise((resolve) => program.stdout.once('data', resolve));
  const started = Date.now();
  abort.abort();
  await read;
  assert.ok(Date.now() - started >= 1900, 'it had its time');
});

test('one whose own child holds its pipes open ends all the same', async () => {
  const abort = new AbortController();
  const program = streamProgram(sh('sleep 1000 & echo $!; wait'), { signal: abort.signal });
  const grandchild = await new Promise((resolve) => program.stdout.once('data', resolve));
  abort.abort();
  await assert.rejects(program.ended, { name: 'AbortError' });
  process.kill(Number(String(grandchild)), 'SIGKILL');
});

test('a reader that goes away ends the program', async () => {
  for (const leave of [
    async (stdout: AsyncIterable<Buffer>) => {
      for await (const _chunk of stdout) break;
    },
    async (stdout: AsyncIterable<Buffer>) => {
      for await (const _chunk of stdout) throw new Error('mine');
    },
  ]) {
    const program = streamProgram(['yes']);
    await leave(program.stdout as AsyncIterable<Buffer>).catch((error) =>
      assert.equal(error.message, 'mine'),
    );
    await assert.rejects(program.ended, isExternal(/nobody reads/));
  }
});

test('one that does not read its input', async () => {
  const input = Buffer.alloc(10_000_000);
  assert.equal(await text(streamProgram(['echo', 'done'], { stdin: input }).stdout), 'done\n');
  assert.equal(await run(['echo', 'done'], { input }), 'done\n');
  const piped = streamProgram(['false'], { stdin: 'pipe' });
  piped.stdin.write(input);
  await assert.rejects(buffer(piped.stdout), isExternal(/exit status 1/));
});

test('aborted before the start, nothing is started; aborted after it, the reason is told', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'walt-stream-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const reason = new Error('the caller left');
  const touch = sh('touch "$1"', join(folder, 'touched'));
  const program = streamProgram(touch, { signal: AbortSignal.abort(reason) });
  await assert.rejects(buffer(program.stdout), reason);
  await assert.rejects(program.ended, reason);
  await assert.rejects(run(touch, { signal: AbortSignal.abort(reason) }), reason);
  assert.deepEqual(readdirSync(folder), []);

  const abort = new AbortController();
  const running = run(['sleep', '60'], { signal: abort.signal });
  abort.abort(reason);
  await assert.rejects(running, reason);
  // Afterwards, it changes nothing any more.
  const late = new AbortController();
  assert.equal(await run(['echo', 'x'], { signal: late.signal }), 'x\n');
  late.abort();
});

test('without a file descriptor left, it is told that it cannot be started, and nobody ends', async () => {
  const modules = ['./stream-program.ts', './exec.ts'].map((name) =>
    JSON.stringify(import.meta.resolve(name)),
  );
  const script = `
    const { streamProgram } = await import(${modules[0]});
    const { run } = await import(${modules[1]});
    const { openSync, closeSync } = await import('node:fs');
    const open = [];
    try { for (;;) open.push(openSync('/dev/null')); } catch {}
    for (const left of [0, 2, 4, 6]) {
      for (let n = 0; n < (left && 2); n += 1) closeSync(open.pop());
      streamProgram(['true'], { stdin: 'pipe' });
      await run(['true'], { input: 'x' }).then(() => console.log('ran'), (error) => console.log(error.message));
    }
    for (const file of open) closeSync(file);
    console.log('then', (await run(['echo', 'fine'])).trim());
    process.exit();`;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const output = await run(['prlimit', '--nofile=60:60', '--', ...node]);
  assert.match(output, /^true failed \(not started\): .*EMFILE/);
  assert.match(output, /then fine$/m);
});

test('a killed server takes its programs with it', async () => {
  const module = JSON.stringify(import.meta.resolve('./stream-program.ts'));
  const server = spawn(
    process.execPath,
    ['-e', `import(${module}).then((m) => m.streamProgram(['sh', '-c', 'trap "" TERM; exec sleep 47']));`],
    { stdio: 'ignore' },
  );
  const pid = server.pid ?? 0;
  let program: number | undefined;
  while (program === undefined) {
    await delay(10);
    const name = (child: number) => readFileSync(`/proc/${child}/comm`, 'utf8').trim();
    program = children(pid).find((child) => name(child) === 'sleep');
  }
  server.kill('SIGKILL');
  await new Promise((resolve) => server.once('exit', resolve));
  const isGone = () => {
    try {
      return / [ZX] /.test(readFileSync(`/proc/${program}/stat`, 'utf8'));
    } catch {
      return true;
    }
  };
  while (!isGone()) await delay(5);
});

test('a word of an argument is no option of what starts the program', async () => {
  assert.equal(await run(['echo', '--', '--help']), '-- --help\n');
  assert.match(execFileSync('setpriv', ['--version']).toString(), /util-linux/);
});
