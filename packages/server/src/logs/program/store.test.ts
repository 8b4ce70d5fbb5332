import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { there } from '../../../test/postgres.ts';
import { createLog } from '../../platform/index.ts';
import { storedLine } from './chunk.ts';
import type { Batch } from './group-commit.ts';
import { EmptyPlaces } from './places.fixture.ts';
import { Queries, type Query } from './queries/index.ts';
import { LogStore } from './store.ts';

const log = createLog('test', () => {});
const THREAD = new URL('./queries/thread.ts', import.meta.url);

let places: EmptyPlaces;
let store: LogStore;
before(async () => {
  places = await EmptyPlaces.make();
});
after(async () => {
  await store?.close();
  await places?.[Symbol.asyncDispose]();
});

const T = 1_790_000_000_000_000;

function batch(issuer: string, stream: string, ...lines: [time: number, text: string][]): Batch {
  const stored = lines.map(([time, text]) => storedLine(T + time, Buffer.from(text)));
  return { issuer, streams: new Map([[stream, stored]]) };
}

const NAMES = { '10.0.0.2': 'n2', '10.0.0.3': 'n3', n: 'n' };
const ALL: Query = { issuers: NAMES, from: 0, to: Number.MAX_SAFE_INTEGER, follow: false };

/** What a reader is told, each line as `ISSUER.STREAM TIME TEXT`. */
async function read(
  query: Partial<Query> = {},
  until?: (lines: string[]) => boolean,
  heard?: (text: string) => void,
): Promise<string[]> {
  const names = new Map<string, string>();
  const lines: string[] = [];
  const end = new AbortController();
  let rest = '';
  await new Queries(store, THREAD, log).run(
    { ...ALL, ...query },
    async (text) => {
      heard?.(Buffer.from(text).toString());
      const parts = (rest + Buffer.from(text).toString()).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        const [kind = '', id = '', a = '', ...b] = part.split(' ');
        if (kind === 'S') names.set(id, `${a}.${b.join(' ')}`);
        else if (kind === 'L') lines.push(`${names.get(id)} ${Number(a) - T} ${b.join(' ')}`);
      }
      if (until?.(lines)) end.abort();
    },
    end.signal,
  );
  return lines;
}

for (const engine of EmptyPlaces.KINDS) {
  describe(engine, () => {
    beforeEach(async () => {
      await store?.close();
      store = await there(LogStore.open(await places.empty(engine), log));
    });

    test('lines of several streams are told by time; of the same time, by name, and of one stream as they came', async () => {
      await store.append(batch('10.0.0.2', 'a', [1, 'one'], [5, 'five']));
      await store.append(batch('10.0.0.3', 'b', [3, 'three'], [5, 'five, too']));
      await store.append(batch('10.0.0.2', 'a', [4, 'four'], [2, 'two']));
      const all = await read();
      assert.deepEqual(all, [
        ...['n2.a 1 one', 'n2.a 2 two', 'n3.b 3 three', 'n2.a 4 four'],
        ...['n2.a 5 five', 'n3.b 5 five, too'],
      ]);
      assert.deepEqual(await read({ last: 2 }), all.slice(-2));
      assert.deepEqual(await read({ from: T + 3, to: T + 4 }), all.slice(2, 4));
      assert.deepEqual(await read({ lines: 'f.*e' }), all.slice(4));
      assert.deepEqual(await read({ streams: '^b$' }), [all[2], all[5]]);
      assert.deepEqual(await read({ issuers: { '10.0.0.3': 'other' } }), [
        'other.b 3 three',
        'other.b 5 five, too',
      ]);
      assert.deepEqual(await read({ issuers: {} }), []);
    });

    test('many small chunks become few, and no line is lost or told twice, also while somebody reads', async () => {
      const lines = 400;
      const follow = read({ follow: true }, (told) => told.length >= lines);
      const half = read({ last: 10_000 });
      for (let at = 0; at < lines; at += 1) await store.append(batch('n', `s${at % 2}`, [at, `line ${at}`]));
      await half;
      await store.merge();
      const expected = Array.from({ length: lines }, (_, at) => `n.s${at % 2} ${at} line ${at}`);
      assert.deepEqual(await read(), expected);
      assert.deepEqual(await follow, expected);
      const { heads } = await store.heads(() => true, 0, ALL.to);
      assert.ok(heads.length < 50, `${heads.length} chunks`);
    });

    test('a search finds what a look at all lines does, in their order, in many portions', async () => {
      // Chunks that are too large to be merged: several portions of them, whose times overlap.
      const lines = Array.from({ length: 4950 }, (_, at): [number, string] => [
        at,
        `${at} ${'word '.repeat(250)}`,
      ]);
      for (let from = 0; from < lines.length; from += 330) {
        const some = lines.slice(from, from + 330);
        for (const stream of ['a', 'b', 'c'])
          await store.append(batch('10.0.0.2', stream, ...some.filter((_, at) => 'abc'[at % 3] === stream)));
      }
      const all = await read();
      assert.equal(all.length, lines.length);
      const wanted = (text: RegExp) => all.filter((line) => text.test(line.replace(/^\S+ \d+ /, '')));
      assert.deepEqual(await read({ lines: '777 ' }), wanted(/777 /));
      assert.deepEqual(await read({ lines: '^[0-9]*(12|34)5 ' }), wanted(/^[0-9]*(12|34)5 /));
      assert.deepEqual(await read({ lines: '777 ', last: 7 }), wanted(/777 /).slice(-7));
      assert.deepEqual(await read({ lines: 'w' }), all);
      assert.deepEqual(await read({ lines: 'nowhere' }), []);
    });

    test('who searches and takes nothing keeps no other who searches waiting', async () => {
      const lines = Array.from({ length: 4000 }, (_, at): [number, string] => [
        at,
        `${at} ${'x'.repeat(2000)}`,
      ]);
      for (let from = 0; from < lines.length; from += 200)
        await store.append(batch('10.0.0.2', 'a', ...lines.slice(from, from + 200)));
      const queries = new Queries(store, THREAD, log);
      const query = { ...ALL, lines: 'x' };
      const end = new AbortController();
      const stuck = Promise.withResolvers<void>();
      const takesNothing = () => {
        stuck.resolve();
        return new Promise<void>(() => {});
      };
      const first = queries.run(query, takesNothing, end.signal);
      await stuck.promise;
      let bytes = 0;
      await queries.run(
        query,
        async (text) => {
          bytes += text.length;
        },
        end.signal,
      );
      assert.ok(bytes > 4000 * 2000, String(bytes));
      end.abort();
      await first;
      assert.equal(queries.readers, 0);
    });

    test('history and what comes join without a gap and without a line twice', async () => {
      const total = 1000;
      let next = 0;
      const write = async () => {
        while (next < total) {
          const some = Array.from({ length: 10 }, (): [number, string] => [next, String(next++)]);
          await store.append(batch('n', 's', ...some));
        }
      };
      const writing = write();
      const readers = await Promise.all(
        [0, 1, 2].map(async () => await read({ follow: true }, (told) => told.length >= total)),
      );
      await writing;
      const expected = Array.from({ length: total }, (_, at) => `n.s ${at} ${at}`);
      for (const told of readers) assert.deepEqual(told, expected);
    });

    test('who lost his connection goes on where he was', async () => {
      await store.append(batch('n', 's', [1, 'before']));
      let position = Number.NaN;
      const note = (text: string) => {
        const marks = text.match(/^P \d+$/gm) ?? [];
        position = Number(marks.at(-1)?.slice(2) ?? position);
      };
      await read({ follow: true }, (lines) => lines.length === 1 && !Number.isNaN(position), note);
      for (let at = 2; at < 40; at += 1) await store.append(batch('n', 's', [at, `line ${at}`]));
      await store.merge();
      const rest = await read({ follow: true, after: position }, (lines) => lines.length >= 38);
      assert.deepEqual(
        rest,
        Array.from({ length: 38 }, (_, at) => `n.s ${at + 2} line ${at + 2}`),
      );
    });

    test('a reader that takes nothing keeps nobody waiting, and ends when he leaves', async () => {
      await store.append(
        batch('n', 's', ...Array.from({ length: 5000 }, (_, at): [number, string] => [at, 'x'.repeat(100)])),
      );
      const end = new AbortController();
      const stuck = new Queries(store, THREAD, log).run(ALL, () => new Promise(() => {}), end.signal);
      await store.append(batch('n', 's', [9999, 'later']));
      assert.equal((await read({ lines: 'later' })).length, 1);
      end.abort();
      await stuck;
    });

    test('how far a spool is stored, and the clock of who sent it, are kept with its lines; who is forgotten has neither', async () => {
      assert.equal(await store.reached('n', 'boot.1'), 0);
      const clock = { boot: 'boot', least: -7, since: T, earlier: null, sent: T + 7, told: T };
      for (const reached of [60, 120]) {
        await store.append({ ...batch('n', 's', [1, 'x']), spool: { id: 'boot.1', reached, clock } });
        assert.equal(await store.reached('n', 'boot.1'), reached);
        assert.deepEqual({ ...(await store.clock('n')) }, clock);
      }
      assert.equal(await store.reached('m', 'boot.1'), 0);
      await store.forget('n');
      assert.equal(await store.reached('n', 'boot.1'), 0);
      assert.equal(await store.clock('n'), undefined);
      assert.deepEqual(await read(), []);
    });

    test('what a reader has begun with stays for him, however long he takes', async (t) => {
      for (let at = 0; at < 15; at += 1) await store.append(batch('n', 's', [at, `line ${at}`]));
      const { heads } = await store.heads(() => true, 0, ALL.to);
      const ids = heads.map(({ id }) => id);
      const held = store.hold();
      // The sixteenth makes one of all.
      await store.append(batch('n', 's', [15, 'line 15']));
      await store.merge();
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_600_000 });
      await store.tidy();
      assert.equal((await store.chunks(ids)).length, ids.length);
      held[Symbol.dispose]();
      await store.tidy();
      assert.deepEqual(await store.chunks(ids), []);
    });

    test('who follows lines and takes none for an hour misses none; after days, he is told', async (t) => {
      const told: string[] = [];
      let gate = Promise.withResolvers<void>();
      let stuck = Promise.withResolvers<void>();
      gate.resolve();
      const write = async (text: Uint8Array) => {
        told.push(
          ...(Buffer.from(text)
            .toString()
            .match(/^(?:H|L .*)$/gm) ?? []),
        );
        stuck.resolve();
        await gate.promise;
      };
      const until = async (count: number) => {
        for (; told.length < count; stuck = Promise.withResolvers()) await stuck.promise;
      };
      const following = new Queries(store, THREAD, log).run(
        { ...ALL, follow: true },
        write,
        new AbortController().signal,
      );
      const outcome = following.then(
        () => 'end',
        (error) => error.code,
      );
      await until(1);
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
      let number = 0;
      for (const [round, seconds] of [3600, 3 * 86_400].entries()) {
        gate = Promise.withResolvers();
        // He waits at the first of them at the latest.
        for (let at = 0; at < 17; at += 1)
          await store.append(batch('n', 's', [number + at, `line ${number + at}`]));
        number += 17;
        await store.merge();
        t.mock.timers.setTime(Date.now() + seconds * 1000);
        await store.tidy();
        gate.resolve();
        if (round === 0) await until(18);
      }
      assert.equal(await outcome, 'CONFLICT');
      assert.deepEqual(
        told.slice(1, 18).map((text) => text.split(' ').slice(3).join(' ')),
        Array.from({ length: 17 }, (_, at) => `line ${at}`),
      );
    });

    test('old lines go by age, then by size, the oldest first', async () => {
      for (let at = 0; at < 10; at += 1) await store.append(batch('n', 's', [at, String(at).repeat(100)]));
      assert.equal(await store.drop(T + 3, Number.MAX_SAFE_INTEGER), 3);
      assert.equal((await read()).length, 7);
      const { heads } = await store.heads(() => true, 0, ALL.to);
      const bytes = heads.reduce((sum, { size }) => sum + size, 0);
      assert.equal(await store.drop(0, bytes / 2), 4);
      assert.deepEqual(
        (await read()).map((line) => line.split(' ')[1]),
        ['7', '8', '9'],
      );
    });

    test('an expression that is none is refused', async () => {
      await assert.rejects(read({ lines: '(' }), {
        code: 'INVALID',
        message: '"(" is no regular expression.',
      });
      await assert.rejects(read({ streams: '*' }), { code: 'INVALID' });
    });
  });
}
