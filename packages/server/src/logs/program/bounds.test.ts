/** What a node that writes without end, and a reader that takes nothing, leave in the database. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { until } from '../../../../../test/until.ts';
import { there } from '../../../test/postgres.ts';
import { createLog } from '../../platform/index.ts';
import { storedLine } from './chunk.ts';
import { type LogPlace, openPlace } from './connection.ts';
import { GroupCommit } from './group-commit.ts';
import { boundOften } from './keeper.ts';
import { EmptyPlaces } from './places.fixture.ts';
import { Queries } from './queries/index.ts';
import { LogStore } from './store.ts';
import { StreamList } from './stream-list.ts';

const log = createLog('test', () => {});
const THREAD = new URL('./queries/thread.ts', import.meta.url);
const MIB = 2 ** 20;

let places: EmptyPlaces;
let place: LogPlace;
let store: LogStore;
before(async () => {
  places = await EmptyPlaces.make();
});
after(async () => {
  await store?.close();
  await places?.[Symbol.asyncDispose]();
});

/** Lines that no program packs. */
function noise(bytes: number): Buffer[] {
  const text = randomBytes(bytes).map((byte) => (byte === 0x0a ? 0 : byte));
  const lines = Array.from({ length: bytes / 1000 }, (_, at) => text.subarray(at * 1000, (at + 1) * 1000));
  return lines.map((line) => storedLine(Date.now() * 1000, line));
}

const append = (bytes: number, stream = 's') =>
  store.append({ issuer: 'n', streams: new Map([[stream, noise(bytes)]]) });

const bytesOf = async () => {
  const { heads } = await store.heads(() => true, 0, Number.MAX_SAFE_INTEGER);
  return heads.reduce((sum, { size }) => sum + size, 0);
};

for (const engine of EmptyPlaces.KINDS) {
  describe(engine, () => {
    beforeEach(async () => {
      await store?.close();
      place = await places.empty(engine);
      store = await there(LogStore.open(place, log));
    });

    test('more than is kept goes while it is written, not only at the next look at the clock', async () => {
      using _often = boundOften(store, { days: 90, size: 2 * MIB }, log);
      for (let at = 0; at < 40; at += 1) await append(200_000);
      await until('the rest to have 2 MiB', async () => {
        await append(100_000);
        return (await bytesOf()) <= 3 * MIB;
      });
    });

    test('who writes without end drives out his own lines, not those of others', async () => {
      const line = storedLine((Date.now() - 3_600_000) * 1000, Buffer.from('who did what'));
      await store.append({ issuer: 'walt-server', streams: new Map([['platform.audit', [line]]]) });
      for (let at = 0; at < 20; at += 1) await append(200_000);
      assert.ok((await store.drop(0, MIB)) > 2000);
      const { streams, heads } = await store.heads(() => true, 0, Number.MAX_SAFE_INTEGER);
      assert.ok((await bytesOf()) <= MIB);
      const names = heads.map(({ stream }) => streams.find(({ id }) => id === stream)?.name);
      assert.deepEqual(new Set(names), new Set(['platform.audit', 's']));
    });

    test('spools that a node makes up do not fill it', async () => {
      const spools = [
        ...Array.from({ length: 250 }, (_, at) => `boot.${at}`),
        ...Array.from({ length: 250 }, (_, at) => `console.${at}`),
      ];
      const note = (issuer: string, id: string) =>
        store.append({ issuer, streams: new Map(), spool: { id, reached: 7 } });
      await Promise.all([...spools.map((id) => note('n', id)), note('other', 'boot.1')]);
      await store.drop(0, MIB);
      const known = await Promise.all(spools.map((id) => store.reached('n', id)));
      assert.equal(known.filter((reached) => reached === 7).length, 400);
      assert.equal(await store.reached('other', 'boot.1'), 7);
    });

    test('a reader that takes nothing keeps no more than a bound, and is told that it lost something', async () => {
      // One more of each stream, and they are merged.
      for (let at = 0; at < 60; at += 1) await append(60_000, `s${at % 4}`);
      const queries = new Queries(store, THREAD, log);
      const [began, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const query = { issuers: { n: 'n' }, from: 0, to: Number.MAX_SAFE_INTEGER, follow: false };
      const write = async () => {
        began.resolve();
        await goesOn.promise;
      };
      const reading = queries.run(query, write, new AbortController().signal);
      const refused = assert.rejects(reading, {
        code: 'CONFLICT',
        message: /some of those to be read are gone/,
      });
      await began.promise;
      for (let at = 0; at < 4; at += 1) await append(60_000, `s${at}`);
      await until('all to be replaced by fewer ones', async () => {
        await store.merge();
        return (await replacedBytes()) > 3 * MIB;
      });
      await store.drop(0, 8 * MIB);
      assert.ok((await replacedBytes()) <= 2 * MIB);
      goesOn.resolve();
      await refused;
    });
  });
}

/** No chunk of a test has a higher number. */
const NUMBERS = Array.from({ length: 500 }, (_, at) => at + 1);

async function replacedBytes(): Promise<number> {
  const { heads } = await store.heads(() => true, 0, Number.MAX_SAFE_INTEGER);
  const count = new Set(heads.map(({ id }) => id));
  const replaced = (await store.chunks(NUMBERS)).filter(({ id }) => !count.has(id));
  return replaced.reduce((sum, { data }) => sum + data.length, 0);
}

test('addresses that are made up get no stream of each name once there are too many', async () => {
  const { database, close } = await openPlace(await places.empty('SQLite'));
  try {
    const streams = new (class extends StreamList {
      override get size() {
        return super.size + 499_999;
      }
    })();
    const nothing = () => {};
    const commits = new GroupCommit({
      ...{ database: () => database, streams },
      ...{ grew: nothing, committed: nothing, over: nothing },
    });
    for (const issuer of ['10.0.0.2', '10.0.0.3']) {
      await commits.append({ issuer, streams: new Map(['a', 'b'].map((name) => [name, noise(1000)])) });
    }
    await commits.close();
    assert.deepEqual(
      [...streams.all()].map(({ issuer, name }) => `${issuer} ${name}`),
      ['10.0.0.2 a', '10.0.0.2 walt-log', '10.0.0.3 walt-log'],
    );
  } finally {
    await close();
  }
});
