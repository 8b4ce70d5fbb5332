import assert from 'node:assert/strict';
import { appendFile, copyFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ConsoleFollower, type ConsolePart } from './console-follower.ts';

const silent = { info() {}, warn() {}, error() {} };
const ISSUER = '10.73.0.7';

/** What keeps lines, as it promises. */
class Kept {
  readonly lines: string[] = [];
  readonly times: number[] = [];
  readonly #spools = new Map<string, number>();
  /** So many answers get lost, and with them perhaps what was asked. */
  lost = 0;
  isAway = false;

  readonly keep = async ({ spool, from, reached, lines, time }: ConsolePart): Promise<number> => {
    if (this.isAway) throw new Error('away');
    const known = this.#spools.get(spool) ?? 0;
    if (known <= from && known !== reached) {
      this.lines.push(...lines.map(String));
      this.times.push(...lines.map((_, index) => time + index));
      this.#spools.set(spool, reached);
    }
    this.lost -= 1;
    if (this.lost >= 0) throw new Error('the answer is lost');
    return this.#spools.get(spool) ?? 0;
  };
}

describe('ConsoleFollower', () => {
  let folder: string;
  let log: string;
  let kept: Kept;
  let followers: ConsoleFollower[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'walt-follow-'));
    log = join(folder, 'console.log');
    kept = new Kept();
    followers = [];
  });
  afterEach(async () => {
    for (const follower of followers) follower.close();
    await rm(folder, { recursive: true });
  });

  const begin = async () => {
    const files = { log, spool: join(folder, 'console.spool') };
    const follower = await ConsoleFollower.begin(ISSUER, files, kept.keep, silent);
    followers.push(follower);
    return follower;
  };
  const has = async (what: string, condition: () => boolean) => {
    for (const end = Date.now() + 120_000; !condition(); await delay(10)) {
      assert.ok(Date.now() < end, `${what}: ${JSON.stringify(kept.lines.slice(-5))}`);
    }
  };
  const ends = (line: string) => has(line, () => kept.lines.at(-1) === line);

  it('keeps whole lines as they come, without the end that a terminal wants', async () => {
    await begin();
    await appendFile(log, 'one\r\n\u001b[1mtwo\u001b[0m\n\nlog');
    await ends('');
    await appendFile(log, 'in: root\r\r\n');
    await ends('login: root\r');
    assert.deepEqual(kept.lines, ['one', '\u001b[1mtwo\u001b[0m', '', 'login: root\r']);
    assert.deepEqual(kept.times, [...new Set(kept.times)].sort(), 'each has its own time, in their order');
  });

  it('cuts what has no end into lines of 64 KiB', async () => {
    await begin();
    await appendFile(log, `${'x'.repeat(150_000)}\n`);
    await has('all of it', () => kept.lines.join('').length === 150_000);
    assert.deepEqual(
      kept.lines.map(({ length }) => length),
      [65_536, 65_536, 18_928],
    );
  });

  it('leaves out what was printed before it was asked for the first time', async () => {
    await writeFile(log, 'long ago\n');
    await begin();
    await appendFile(log, 'now\n');
    await ends('now');
    assert.deepEqual(kept.lines, ['now']);
  });

  it('goes on where an earlier one ended, and keeps no line twice when an answer was lost', async () => {
    const first = await begin();
    await appendFile(log, 'one\n');
    await ends('one');
    kept.lost = 1;
    await appendFile(log, 'two\n');
    await ends('two');
    first.close();
    await appendFile(log, 'three\n');
    kept.lost = 2;
    await begin();
    await ends('three');
    await appendFile(log, 'four\n');
    await ends('four');
    assert.deepEqual(kept.lines, ['one', 'two', 'three', 'four']);
  });

  it('waits with emptying the log while lines cannot be stored, and loses none by it', async () => {
    const follower = await begin();
    await appendFile(log, 'one\n');
    await ends('one');
    kept.isAway = true;
    await appendFile(log, 'two\n');
    const copy = `${log}.1`;
    let times = 0;
    const empty = async () => {
      times += 1;
      // It goes on printing until the very end.
      await appendFile(log, 'three\nfo');
      await copyFile(log, copy);
      await truncate(log);
      return { copy };
    };
    await follower.empty(empty, false);
    assert.equal(times, 0);
    kept.isAway = false;
    await follower.empty(empty, false);
    assert.equal(times, 1);
    await appendFile(log, 'ur\n');
    await ends('ur');
    assert.deepEqual(kept.lines, ['one', 'two', 'three', 'fo', 'ur']);
    followers.at(-1)?.close();
    await appendFile(log, 'five\n');
    await begin();
    await ends('five');
    assert.deepEqual(kept.lines.slice(-2), ['ur', 'five']);
  });

  it('begins anew where the server died after it had emptied the log', async () => {
    (await begin()).close();
    followers.pop();
    await writeFile(log, 'a long line of before\n');
    const second = await begin();
    await ends('a long line of before');
    second.close();
    await writeFile(log, 'new\n');
    await begin();
    await ends('new');
  });

  it('drops lines of a node that prints without end, and says how many', async () => {
    await begin();
    const line = `${'y'.repeat(99)}\n`;
    await appendFile(log, line.repeat(50_000));
    await appendFile(log, 'the end\n');
    const told = /^walt: (\d+) lines were dropped here/;
    const dropped = () => kept.lines.reduce((sum, text) => sum + Number(told.exec(text)?.[1] ?? 0), 0);
    const printed = () => kept.lines.filter((text) => !told.test(text)).length;
    await has('that all others were dropped', () => dropped() > 0 && dropped() + printed() === 50_001);
  });
});
