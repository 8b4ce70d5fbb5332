import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { attempt, run } from '../programs/index.ts';
import { followLog, lastLines } from './journal.ts';
import { createLog, formatLine } from './log.ts';
import { LogRotation, rotateLog } from './log-rotation.ts';

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'walt-log-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

describe('a line of the journal', () => {
  const text = (value: string) => formatLine('warn', 'boot', 'node could not boot', { report: value });

  test('holds what happened', () => {
    const line = formatLine('info', 'x', 'said', { a: 'b "c"', n: 1, b: true, none: undefined, z: null });
    assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z info x said a="b \\"c\\"" n=1 b=true z=null\n$/);
  });

  for (const [name, raw, shown] of [
    ['line ends', 'a\nb\r', 'a\\nb\\r'],
    ['an escape sequence', '\u001b[2J', '\\u001b[2J'],
    ['a control sequence in one character', '\u009b2J\u0090', '\\u009b2J\\u0090'],
    ['DEL', '\u007f', '\\u007f'],
    ['next line', '\u0085', '\\u0085'],
    ['separators of lines and paragraphs', '\u2028\u2029', '\\u2028\\u2029'],
    ['a turned direction', '\u202egnp.exe\u2066\u200f\u061c', '\\u202egnp.exe\\u2066\\u200f\\u061c'],
    ['half a character', '\ud800', '\\ud800'],
    ['ordinary words', 'é 漢字 🙂 \\u009b', 'é 漢字 🙂 \\\\u009b'],
  ] as const) {
    test(`with ${name} in it is one line that steers nothing`, () => {
      const line = text(raw);
      assert.ok(line.endsWith(` report="${shown}"\n`), JSON.stringify(line));
      assert.doesNotMatch(line.slice(0, -1), /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
    });
  }

  test('is bounded, also where a word is not a value', () => {
    const line = text('x'.repeat(10_000_000));
    assert.ok(line.length < 9000);
    assert.match(line, /x"…\(10000000 characters\)\n$/);
    const many = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`k${index}`, '\u0001'.repeat(8000)]),
    );
    assert.ok(formatLine('info', 'x', 'y', many).length < 40_000);
    assert.doesNotMatch(formatLine('info', 'x', 'name \u009b\n', {}).slice(0, -1), /\p{Cc}/u);
  });
});

test('a journal that cannot be written ends nobody, and tells afterwards what was lost', () => {
  const written: string[] = [];
  let full = true;
  const log = createLog('x', (line) => {
    if (full) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    written.push(line);
  });
  for (let index = 0; index < 3; index += 1) log.error('lost');
  full = false;
  log.info('back');
  log.info('again');
  assert.deepEqual(
    written.map((line) => line.slice(25)),
    ['warn x lines could not be written lines=3\n', 'info x back\n', 'info x again\n'],
  );
});

test('a server whose journal is on a full disk, or goes to a pipe that was closed, lives on', async (t) => {
  const folder = await temporary(t);
  const module = JSON.stringify(import.meta.resolve('./log.ts'));
  const script = `import { createLog } from ${module};
    const log = createLog('x');
    for (let n = 0; n < 1000; n += 1) log.info('said', { n, text: 'x'.repeat(500) });
    await new Promise((resolve) => setTimeout(resolve, 100));
    log.info('last');
    console.log('lives');`;
  await writeFile(join(folder, 'server.mjs'), script);
  const node = [process.execPath, '--experimental-strip-types', join(folder, 'server.mjs')];
  // /dev/full answers ENOSPC to every write.
  assert.match(await run(['sh', '-c', 'exec "$@" 2>/dev/full', 'sh', ...node]), /lives/);
  assert.match(await run(['bash', '-c', '"$@" 2> >(exec true)', 'bash', ...node]), /lives/);
  const slow = await attempt(['bash', '-c', '"$@" 2> >(sleep 0.3; wc -l >&2)', 'bash', ...node]);
  assert.match(slow.stdout, /lives/);
});

test('logs are put aside, the oldest goes, and only what ends in .log is touched', async (t) => {
  const folder = await temporary(t);
  const log = join(folder, 'a.log');
  const limits = { size: 10, keep: 2 };
  assert.equal(await rotateLog(log, limits), false, 'there is none yet');
  for (const content of ['first\n', 'second is long\n', 'third is long\n', 'fourth is long\n']) {
    await appendFile(log, content);
    await rotateLog(log, limits);
  }
  assert.deepEqual((await readdir(folder)).sort(), ['a.log', 'a.log.1', 'a.log.2']);
  assert.equal(await readFile(log, 'utf8'), '');
  assert.equal(await readFile(`${log}.1`, 'utf8'), 'fourth is long\n');
  assert.equal(await readFile(`${log}.2`, 'utf8'), 'third is long\n');

  await writeFile(join(folder, 'crashes'), 'x'.repeat(100));
  await writeFile(join(folder, 'b.log'), 'x'.repeat(100));
  const rotation = new LogRotation(folder, limits, createLog('test'), 10);
  while (!(await readdir(folder)).includes('b.log.1')) await delay(5);
  await rotation.close();
  assert.equal((await stat(join(folder, 'crashes'))).size, 100);
  assert.equal((await stat(join(folder, 'b.log'))).size, 0);
});

/** Lines `0` to `count - 1`, as many as there are. */
function numbers(text: string): number[] {
  return text.split('\n').filter(Boolean).map(Number);
}

test('whoever writes without a pause loses no line, and who follows sees each once', async (t) => {
  const folder = await temporary(t);
  const log = join(folder, 'server.log');
  await writeFile(log, '');
  const abort = new AbortController();
  let followed = '';
  const following = (async () => {
    for await (const chunk of followLog(log, 0, abort.signal)) followed += chunk;
  })();
  // The server itself: it writes and puts aside in one process.
  const modules = ['./log.ts', './log-rotation.ts'].map((name) => JSON.stringify(import.meta.resolve(name)));
  const script = `import { writeSync } from 'node:fs';
    const { rotateLog } = await import(${modules[1]});
    let n = 0, busy = false, aside = 0;
    const timer = setInterval(() => {
      for (let k = 0; k < 20; k += 1) writeSync(2, n++ + '\\n');
      if (!busy) {
        busy = true;
        rotateLog(${JSON.stringify(log)}, { size: 70000, keep: 50 }).then((done) => { aside += done; busy = false; });
      }
      if (aside >= 4) { clearInterval(timer); console.log(n); }
    }, 1);`;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const written = await run(['sh', '-c', 'exec "$@" 2>>"$0"', log, ...node]);
  const { text } = await lastLines(log, 10_000_000);
  const all = Array.from({ length: Number(written) }, (_, index) => index);
  assert.ok((await readdir(folder)).length >= 5, 'it was put aside several times');
  assert.deepEqual(numbers(text), all, 'nothing is lost, nothing twice');
  while (numbers(followed).length < all.length) await delay(20);
  abort.abort();
  await following;
  assert.deepEqual(numbers(followed), all);
});

test('the last lines, over parts', async (t) => {
  const folder = await temporary(t);
  const log = join(folder, 'a.log');
  assert.deepEqual(await lastLines(log, 5), { text: '', end: 0 });
  await writeFile(`${log}.2`, '1\n2\n');
  await writeFile(`${log}.1`, '3\n4\n');
  await writeFile(log, '5\n6\n');
  for (const [count, text] of [
    [0, ''],
    [1, '6\n'],
    [2, '5\n6\n'],
    [3, '4\n5\n6\n'],
    [5, '2\n3\n4\n5\n6\n'],
    [100, '1\n2\n3\n4\n5\n6\n'],
  ] as const) {
    assert.deepEqual(await lastLines(log, count), { text, end: 4 }, `${count} lines`);
  }
});
