import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootingNodes } from '../../nodes/index.ts';
import { openDatabase } from '../../platform/index.ts';
import { type ServerDatabase, serverTables } from '../../tables.ts';
import type { DigestRecord } from '../types.ts';
import { Catalogue } from './catalogue.ts';
import type { Move } from './catalogue-rows.ts';
import { lineage, versionsOf } from './lineage.ts';

const move: Move = { user: 'ann', action: 'shell' };
const [a, b] = ['a', 'b'].map(
  (letter): DigestRecord => ({
    ...{ digest: `sha256:${letter.repeat(64)}`, architecture: 'amd64', created: 1, size: 5_000_000_000 },
    ...{ layers: ['sha256:1', 'sha256:2'], kernel: null, bootPlan: 'volumes', models: ['pc-x86-64'] },
    lends: [],
  }),
) as [DigestRecord, DigestRecord];
const exp = { owner: 'ann', name: 'exp' };

async function withCatalogue(
  use: (catalogue: Catalogue, database: ServerDatabase) => Promise<void>,
): Promise<void> {
  const database = await openDatabase(':memory:', serverTables);
  try {
    await use(new Catalogue(database, bootingNodes), database);
  } finally {
    await database.destroy();
  }
}

async function history(database: ServerDatabase): Promise<string[]> {
  const rows = await database.selectFrom('image_history').selectAll().orderBy('id').execute();
  const short = (digest: string | null) => digest?.slice(7, 8) ?? '-';
  return rows.map((row) => `${row.action} ${row.name} ${short(row.previous)}>${short(row.digest)}`);
}

async function addNode(database: ServerDatabase, image: string): Promise<void> {
  await database
    .insertInto('node')
    .values({
      ...{ mac: '02:00:00:00:00:01', name: 'vnode1', ip: '10.0.0.2', type: 'virtual', model: 'pc-x86-64' },
      ...{ architecture: 'amd64', image_owner: 'ann', image_name: image, generation: 1, hard: 0 },
      ...{ token: 'x', created: 1 },
      ...{
        served_generation: null,
        served_digest: null,
        served_persist: null,
        served_at: null,
        booted_at: null,
      },
    })
    .execute();
}

const session = {
  ...{ id: '0123456789abcdef', user: 'ann', owner: 'ann', name: 'exp', digest: a.digest },
  ...{ container: 'walt-shell-0123456789abcdef', opened: 1 },
};

test('a name moves, and each move is history', async () => {
  await withCatalogue(async (catalogue, database) => {
    await catalogue.point(exp, a, 'absent', move);
    assert.deepEqual(await catalogue.get(exp), { ...exp, ...a });
    await catalogue.point(exp, b, { digest: a.digest }, move);
    await catalogue.point(exp, b, 'any', move);
    assert.equal((await catalogue.get(exp)).digest, b.digest);
    assert.deepEqual(await history(database), ['shell exp ->a', 'shell exp a>b']);
  });
});

test('a name that does not point to what is expected stays', async () => {
  await withCatalogue(async (catalogue, database) => {
    await catalogue.point(exp, a, 'absent', move);
    await assert.rejects(catalogue.point(exp, b, 'absent', move), { code: 'CONFLICT' });
    await assert.rejects(catalogue.point(exp, b, { digest: b.digest }, move), { code: 'CONFLICT' });
    await assert.rejects(catalogue.check(exp, { digest: b.digest }), { code: 'CONFLICT' });
    assert.equal(await catalogue.digest(b.digest), undefined);
    assert.deepEqual(await history(database), ['shell exp ->a']);
    const removed = { owner: 'ann', name: 'removed' };
    const error = { code: 'CONFLICT', message: /"ann\/removed" was removed/ };
    await assert.rejects(catalogue.point(removed, b, { digest: a.digest }, move), error);
    await assert.rejects(catalogue.check(removed, { digest: a.digest }), error);
    assert.equal(await catalogue.find(removed), undefined);
  });
});

test('the session ends with the move that it led to, or not at all', async () => {
  await withCatalogue(async (catalogue) => {
    await catalogue.point(exp, a, 'absent', move);
    await catalogue.addSession(session);
    await assert.rejects(catalogue.addSession({ ...session, id: 'f'.repeat(16) }), { code: 'CONFLICT' });
    await assert.rejects(catalogue.point(exp, b, { digest: b.digest }, move, session.id));
    assert.deepEqual(
      (await catalogue.sessions()).map((row) => ({ ...row })),
      [session],
    );
    await catalogue.point(exp, b, { digest: a.digest }, move, session.id);
    assert.deepEqual(await catalogue.sessions(), []);
  });
});

test('nodes and sessions follow a rename', async () => {
  await withCatalogue(async (catalogue, database) => {
    await catalogue.point(exp, a, 'absent', move);
    await catalogue.point({ owner: 'ann', name: 'taken' }, a, 'absent', move);
    await catalogue.addSession(session);
    await addNode(database, 'exp');
    await assert.rejects(catalogue.rename(exp, 'taken', 'ann'), { code: 'CONFLICT' });
    await catalogue.rename(exp, 'better', 'ann');
    assert.equal(await catalogue.find(exp), undefined);
    assert.equal((await catalogue.get({ owner: 'ann', name: 'better' })).digest, a.digest);
    const node = await database.selectFrom('node').select('image_name').executeTakeFirstOrThrow();
    assert.equal(node.image_name, 'better');
    assert.equal((await catalogue.sessions())[0]?.name, 'better');
    assert.deepEqual(await history(database), ['shell better ->a', 'shell taken ->a', 'rename better a>a']);
    await assert.rejects(catalogue.rename(exp, 'other', 'ann'), { code: 'NOT_FOUND' });
  });
});

test('what had the new name of a renamed image before is no version of it, and stays as long as it would', async () => {
  await withCatalogue(async (catalogue, database) => {
    const old = { owner: 'ann', name: 'old' };
    await catalogue.point(old, a, 'absent', move);
    await catalogue.remove(old, 'ann');
    await catalogue.point(exp, b, 'absent', move);
    await catalogue.rename(exp, 'old', 'ann');
    const steps = (name: string) =>
      database
        .selectFrom('image_history')
        .selectAll()
        .where('name', '=', name)
        .orderBy('id', 'desc')
        .execute();
    assert.deepEqual(versionsOf(lineage(await steps('old'))), [b.digest]);
    await catalogue.rename({ ...exp, name: 'old' }, 'new', 'ann');
    assert.deepEqual(versionsOf(lineage(await steps('new'))), [b.digest]);
    await catalogue.forgetUnneeded(new Set(), { grace: 0, retention: { versions: 0, days: 1 } });
    assert.ok(await catalogue.digest(a.digest));
  });
});

test('no session begins on a name that was removed meanwhile', async () => {
  await withCatalogue(async (catalogue) => {
    await catalogue.point(exp, a, 'absent', move);
    await catalogue.remove(exp, 'ann');
    await assert.rejects(catalogue.addSession(session), { code: 'NOT_FOUND', message: /ann\/exp/ });
    assert.deepEqual(await catalogue.sessions(), []);
  });
});

test('a name in use is not removed', async () => {
  await withCatalogue(async (catalogue, database) => {
    await catalogue.point(exp, a, 'absent', move);
    await addNode(database, 'exp');
    await assert.rejects(catalogue.remove(exp, 'ann'), { code: 'CONFLICT', message: /vnode1/ });
    await database.deleteFrom('node').execute();
    await catalogue.addSession(session);
    await assert.rejects(catalogue.remove(exp, 'ann'), { code: 'CONFLICT', message: /session/ });
    await catalogue.removeSession(session.id);
    await catalogue.remove(exp, 'ann');
    await assert.rejects(catalogue.remove(exp, 'ann'), { code: 'NOT_FOUND' });
    assert.deepEqual(await history(database), ['shell exp ->a', 'remove exp a>-']);
  });
});

test('only what nobody needs is forgotten', async () => {
  await withCatalogue(async (catalogue, database) => {
    const none = { versions: 0, days: 0 };
    const left = async (keep: string[] = [], grace = 0, retention = none) => {
      await catalogue.forgetUnneeded(new Set(keep), { grace, retention });
      return (await catalogue.digests()).map(({ digest }) => digest.slice(7, 8)).sort();
    };
    await catalogue.point(exp, a, 'absent', move);
    await catalogue.addSession(session);
    await catalogue.point(exp, b, 'any', move);
    assert.deepEqual(await left(), ['a', 'b'], 'a session needs it');
    await catalogue.removeSession(session.id);
    await addNode(database, 'exp');
    await database.updateTable('node').set({ served_digest: a.digest }).execute();
    assert.deepEqual(await left(), ['a', 'b'], 'a node runs it');
    await database.deleteFrom('node').execute();
    assert.deepEqual(await left([], 60), ['a', 'b'], 'a name pointed there a moment ago');
    assert.deepEqual(await left([a.digest]), ['a', 'b'], 'somebody keeps it');
    assert.deepEqual(await left([], 0, { versions: 1, days: 0 }), ['a', 'b'], 'history keeps its versions');
    assert.deepEqual(await left([], 0, { versions: 0, days: 1 }), ['a', 'b'], 'history keeps it for days');
    assert.deepEqual(await left(), ['b']);
  });
});

test('the versions of one image are given up, whatever the settings; what others need of them stays', async () => {
  await withCatalogue(async (catalogue) => {
    const settings = { grace: 60, retention: { versions: 9, days: 9 } };
    const other = { owner: 'bob', name: 'exp' };
    await catalogue.point(exp, a, 'absent', move);
    await catalogue.point(exp, b, 'any', move);
    await catalogue.point(other, a, 'absent', move);
    await catalogue.remove(exp, 'ann');
    await catalogue.point(other, b, 'any', move);
    await catalogue.remove(other, 'bob');
    assert.deepEqual(await catalogue.forgetUnneeded(new Set(), { ...settings, giveUp: exp }), []);
    const gone = await catalogue.forgetUnneeded(new Set([a.digest]), { ...settings, giveUp: other });
    assert.deepEqual(gone, [b], 'ann gave hers up before');
    await catalogue.point(exp, a, 'absent', move);
    assert.deepEqual(await catalogue.forgetUnneeded(new Set(), { ...settings, giveUp: exp }), []);
    await catalogue.point(exp, b, 'any', move);
    assert.deepEqual(await catalogue.forgetUnneeded(new Set(), settings), [], 'it was left after that');
  });
});

test('a name goes back only from where it is expected', async () => {
  await withCatalogue(async (catalogue, database) => {
    const undo: Move = { user: 'ann', action: 'undo' };
    await catalogue.point(exp, a, 'absent', move);
    await catalogue.point(exp, b, 'any', move);
    await assert.rejects(catalogue.back(exp, a, a.digest, undo), { code: 'CONFLICT' });
    await assert.rejects(catalogue.back(exp, a, null, undo), { code: 'CONFLICT' });
    await catalogue.back(exp, a, b.digest, undo);
    assert.equal((await catalogue.get(exp)).digest, a.digest);
    await catalogue.remove(exp, 'ann');
    await assert.rejects(catalogue.back(exp, b, a.digest, undo), { code: 'CONFLICT' }, 'it is gone');
    await catalogue.back(exp, a, null, undo);
    assert.equal((await catalogue.get(exp)).digest, a.digest);
    assert.deepEqual((await history(database)).slice(2), ['undo exp b>a', 'remove exp a>-', 'undo exp ->a']);
  });
});

test('a layer came with the first move that led to it, which tells its size', async () => {
  await withCatalogue(async (catalogue, database) => {
    const top = { ...b, layers: [...a.layers, 'sha256:3'] };
    await catalogue.noteLayers([
      { diffId: 'sha256:1', size: 100, volume: 10 },
      { diffId: 'sha256:2', size: 20, volume: 2 },
    ]);
    await catalogue.point(exp, a, 'absent', { user: 'ann', action: 'clone', detail: 'hub:x' });
    await catalogue.point({ owner: 'bob', name: 'copy' }, a, 'absent', { user: 'bob', action: 'duplicate' });
    await catalogue.point(exp, top, 'any', move);
    const rows = await database.selectFrom('image_history').select('added').orderBy('id').execute();
    assert.deepEqual(
      rows.map(({ added }) => added),
      [120, 0, null],
      'null: nobody has measured it',
    );
    const layers = await catalogue.layers();
    assert.equal(layers.get('sha256:1')?.made?.action, 'clone');
    assert.equal(layers.get('sha256:2')?.made?.detail, 'hub:x');
    assert.deepEqual({ ...layers.get('sha256:3')?.made, at: 0 }, { ...move, at: 0, detail: '' });
    await catalogue.back(exp, a, top.digest, { user: 'ann', action: 'undo' });
    await catalogue.forgetUnneeded(new Set(), { grace: 0, retention: { versions: 0, days: 0 } });
    assert.deepEqual([...(await catalogue.layers()).keys()], ['sha256:1', 'sha256:2']);
  });
});

test('an unknown name brings near ones', async () => {
  await withCatalogue(async (catalogue) => {
    await catalogue.point({ owner: 'ann', name: 'experiment' }, a, 'absent', move);
    await assert.rejects(catalogue.get({ owner: 'ann', name: 'experimnet' }), {
      ...{ code: 'NOT_FOUND', hint: 'Did you mean experiment?' },
    });
    await assert.rejects(catalogue.get({ owner: 'bob', name: 'experiment' }), { code: 'NOT_FOUND' });
  });
});

test('lists by owner and name', async () => {
  await withCatalogue(async (catalogue) => {
    for (const [owner, name] of [
      ['bob', 'a'],
      ['ann', 'z'],
      ['ann', 'b'],
    ] as const) {
      await catalogue.point({ owner, name }, a, 'absent', move);
    }
    const names = (await catalogue.list()).map(({ owner, name }) => `${owner}/${name}`);
    assert.deepEqual(names, ['ann/b', 'ann/z', 'bob/a']);
    assert.deepEqual((await catalogue.list('bob')).length, 1);
  });
});

test("an unknown name that others' images have brings these, the platform's first", async () => {
  await withCatalogue(async (catalogue) => {
    const add = (owner: string, name: string) => catalogue.point({ owner, name }, a, 'absent', move);
    await add('bob', 'arm64-default');
    await assert.rejects(catalogue.get({ owner: 'ann', name: 'arm64-default' }), {
      hint: 'There is bob/arm64-default: make it yours with: walt image clone walt:bob/arm64-default',
    });
    await add('waltplatform', 'arm64-default');
    const command = 'walt image clone walt:waltplatform/arm64-default';
    await assert.rejects(catalogue.get({ owner: 'ann', name: 'arm64-default' }), {
      ...{ code: 'NOT_FOUND', message: 'There is no image named "ann/arm64-default".' },
      hint: `There is waltplatform/arm64-default: use that name, or make it yours with: ${command}`,
    });
  });
});
