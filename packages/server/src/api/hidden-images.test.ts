/** Images that not everybody may see: each call of the contract that names one, as who may and who may not. */
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, test } from 'node:test';
import { isContractProcedure } from '@orpc/contract';
import { contract, IMAGE_FILES, RPC_PREFIX } from '@walt/contract';
import { failure, openApi, send } from '../../test/api.ts';
import { playLogins } from '../../test/logins.ts';

const { groups, logins } = playLogins();
const api = await openApi({ logins });

type Client = Awaited<ReturnType<typeof api.client>>;
let alice: Client;
let bob: Client;

beforeEach(async () => {
  groups.clear();
  groups.set('students', new Set());
  [alice, bob] = await Promise.all([api.client('alice'), api.client('bob')]);
  await api.server.addImage('alice/secret');
});

/** Fields in which a call names an image, or text that does. */
const NAMING = ['image', 'other', 'link', 'dockerfile'];

function* calls(router: unknown, path: string[] = []): Generator<[path: string, fields: string[]]> {
  if (isContractProcedure(router)) {
    const shape = (router['~orpc'].inputSchema as { shape?: object } | undefined)?.shape ?? {};
    yield [path.join('/'), Object.keys(shape)];
  } else for (const [name, inner] of Object.entries(router as object)) yield* calls(inner, [...path, name]);
}

/** What a call is given that names this image of alice's; null: it is for who may enter a node, or changes images of its caller alone. */
const inputs: Record<string, ((image: string) => object) | null> = {
  'image/get': (image) => ({ image }),
  'image/details': (image) => ({ image }),
  'image/log': (image) => ({ image }),
  'image/diff': (image) => ({ image: `${image}@{0}`, other: 'mine' }),
  'image/duplicate': (image) => ({ image, newName: 'copy' }),
  'image/rename': (image) => ({ image, newName: 'other' }),
  'image/remove': (image) => ({ image }),
  'image/allow': (image) => ({ image, visibility: 'visible' }),
  'image/squash': (image) => ({ image, newName: 'copy' }),
  'image/clone': (image) => ({ link: `walt:${image}`, force: false }),
  'image/publish': (image) => ({ image }),
  'image/undo': null,
  'image/prune': null,
  'image/cross/open': (image) => ({ image, command: ['true'], folder: '/src', save: false }),
  'image/run/open': (image) => ({ image, command: ['true'] }),
  // It tells when the folder has come: see below.
  'image/build/open': null,
  'image/shell/list': null,
  'image/shell/open': (image) => ({ image }),
  // A node that boots it would be alice's, be it there or not.
  'node/create': null,
  'node/boot': null,
};

async function post(path: string, input: object, user: string): Promise<{ status: number; told: string }> {
  const answer = await send(api.socket, `${RPC_PREFIX}/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await api.token(user)}`, 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ json: input })),
  });
  return { status: answer.statusCode ?? 0, told: await text(answer) };
}

describe('a private image', () => {
  test('is in the table below, whatever call names it', () => {
    const { auth: _, ...known } = contract;
    const naming = [...calls(known)].flatMap(([path, fields]) =>
      fields.some((field) => NAMING.includes(field)) ? [path] : [],
    );
    assert.deepEqual(naming.toSorted(), Object.keys(inputs).toSorted());
  });

  for (const [path, input] of Object.entries(inputs)) {
    if (!input) continue;
    test(`is for ${path} as if it were not there, but for its owner`, async () => {
      await api.server.addImage('bob/mine');
      await alice.image.allow({ image: 'secret', visibility: 'private' });
      const hidden = await post(path, input('alice/secret'), 'bob');
      const absent = await post(path, input('alice/absent'), 'bob');
      assert.equal(hidden.status, 404, hidden.told);
      assert.deepEqual(
        { ...hidden, told: hidden.told.replaceAll('secret', 'absent') },
        absent,
        'its name is no news either',
      );
      // Fetches compilers.
      if (path === 'image/cross/open') return;
      // Shared, it is refused for another reason, or not at all.
      await alice.image.allow({ image: 'secret', visibility: 'shared', users: ['bob'] });
      const shared = await post(path, input('alice/secret'), 'bob');
      assert.doesNotMatch(shared.told, /There is no (such version of )?image/, shared.told);
    });
  }

  test('has files for its owner alone', async () => {
    await api.server.addTree('alice/secret', { 'key.txt': 'of alice' });
    await alice.image.allow({ image: 'secret', visibility: 'private' });
    const ask = async (user: string, method: string) => {
      const headers = { authorization: `Bearer ${await api.token(user)}` };
      const query = new URLSearchParams({ image: 'alice/secret', path: '/key.txt' });
      const answer = await send(api.socket, `${IMAGE_FILES}?${query}`, { method, headers });
      return [answer.statusCode, await text(answer)] as const;
    };
    for (const method of ['GET', 'PUT']) {
      const [status, told] = await ask('bob', method);
      assert.equal(status, 404, told);
      assert.match(told, /There is no image named/);
    }
    assert.equal((await ask('alice', 'GET'))[0], 200);
    await alice.image.allow({ image: 'secret', visibility: 'shared', users: ['bob'] });
    assert.equal((await ask('bob', 'GET'))[0], 200);
    assert.equal((await ask('bob', 'PUT'))[0], 403);
  });

  test('is in no list of others, nor found, nor in a hint', async () => {
    await alice.image.allow({ image: 'secret', visibility: 'private' });
    const root = await api.client('root');
    const carol = await api.client('carol');
    const listed = async (client: Client) =>
      (await client.image.list({ all: true })).map(({ fullName, visibility }) => `${fullName} ${visibility}`);
    assert.deepEqual(await listed(bob), []);
    assert.deepEqual(await listed(alice), ['alice/secret private']);
    assert.deepEqual(await listed(root), ['alice/secret private'], 'an administrator sees all');
    const found = async () => {
      for await (const event of await bob.image.search({}))
        if (event.type === 'result') return event.value.found.map(({ name }) => name);
      return undefined;
    };
    assert.deepEqual(await found(), []);
    for (const image of ['secret', 'alice/secre']) {
      const refused = await bob.image.get({ image }).catch((error) => error);
      assert.equal(refused.code, 'NOT_FOUND');
      assert.doesNotMatch(refused.data.hint, /secret/);
    }
    groups.get('students')?.add('bob');
    await alice.image.allow({ image: 'secret', visibility: 'shared', groups: ['students'] });
    assert.deepEqual(await listed(bob), ['alice/secret shared']);
    assert.deepEqual(await found(), ['alice/secret']);
    assert.deepEqual((await bob.image.details({ image: 'alice/secret' })).sharedWith, {
      users: [],
      groups: ['students'],
    });
    groups.get('students')?.delete('bob');
    assert.deepEqual(await listed(bob), []);
    assert.deepEqual(await listed(carol), []);
    await alice.image.allow({ image: 'secret', visibility: 'visible' });
    assert.deepEqual(await listed(carol), ['alice/secret visible']);
  });

  test('stays so when it is renamed, or removed and brought back', async () => {
    await alice.image.allow({ image: 'secret', visibility: 'private' });
    await alice.image.rename({ image: 'secret', newName: 'hidden' });
    await assert.rejects(bob.image.get({ image: 'alice/hidden' }), failure('NOT_FOUND', /no image named/));
    await alice.image.remove({ image: 'hidden', yes: true });
    await assert.rejects(bob.image.log({ image: 'alice/hidden' }), failure('NOT_FOUND', /no image named/));
    await assert.rejects(
      bob.image.duplicate({ image: 'alice/hidden@{0}', newName: 'mine' }),
      failure('NOT_FOUND', /There never was an image of that name/),
    );
    await alice.image.undo({ image: 'hidden' });
    await assert.rejects(bob.image.get({ image: 'alice/hidden' }), failure('NOT_FOUND', /no image named/));
    // Another image that is renamed to that name is what it was.
    await alice.image.remove({ image: 'hidden', yes: true });
    await api.server.addImage('alice/open');
    await alice.image.rename({ image: 'open', newName: 'hidden' });
    assert.equal((await bob.image.get({ image: 'alice/hidden' })).visibility, 'visible');
  });

  test('is copied as hidden as it is: of his own, with whom it is shared; by another one, to him alone', async () => {
    await alice.image.allow({ image: 'secret', visibility: 'shared', users: ['bob'] });
    assert.equal((await alice.image.duplicate({ image: 'secret', newName: 'own' })).visibility, 'shared');
    assert.equal(
      (await bob.image.duplicate({ image: 'alice/own@{0}', newName: 'his' })).visibility,
      'private',
    );
    for await (const _event of await bob.image.clone({ link: 'walt:alice/secret', name: 'cloned' }));
    assert.equal((await bob.image.get({ image: 'cloned' })).visibility, 'private');
    const carol = await api.client('carol');
    for (const image of ['alice/own', 'bob/his', 'bob/cloned'])
      await assert.rejects(carol.image.get({ image }), failure('NOT_FOUND', /no image named/));
  });

  test('that its owner lends with a node is booted there by who may see it', async () => {
    await api.node('vnode1');
    await alice.node.allow({ set: 'vnode1', users: ['bob'] });
    await alice.image.allow({ image: 'secret', visibility: 'private' });
    await assert.rejects(
      bob.node.boot({ set: 'vnode1', image: 'alice/secret' }),
      failure('NOT_FOUND', /no image named/),
    );
    await alice.image.allow({ image: 'secret', visibility: 'shared', users: ['bob'] });
    assert.deepEqual((await bob.node.boot({ set: 'vnode1', image: 'alice/secret' })).nodes, ['vnode1']);
  });
});

describe('what is refused', () => {
  const refusals: [what: string, input: object, code: string, words: RegExp][] = [
    ['a private image with somebody', { visibility: 'private', users: ['bob'] }, 'INVALID', /owner's alone/],
    ['a visible image with somebody', { visibility: 'visible', users: ['bob'] }, 'INVALID', /Everybody sees/],
    ['an image that is shared with nobody', { visibility: 'shared' }, 'INVALID', /no login and no group/],
    ['a login that is not there', { visibility: 'shared', users: ['nobody-here'] }, 'NOT_FOUND', /no login/],
    ['another word', { visibility: 'public' }, 'INVALID', /^The visibility/],
  ];
  for (const [what, input, code, words] of refusals) {
    test(what, async () => {
      // What no schema would let pass.
      const asked = { image: 'secret', ...input } as Parameters<Client['image']['allow']>[0];
      await assert.rejects(alice.image.allow(asked), failure(code, words));
      assert.equal((await alice.image.get({ image: 'secret' })).visibility, 'visible');
    });
  }

  test("another user's image, and the platform's", async () => {
    await assert.rejects(
      bob.image.allow({ image: 'alice/secret', visibility: 'private' }),
      failure('FORBIDDEN', /belongs to alice: you cannot hide or share it/),
    );
    await api.server.addImage('waltplatform/pc-x86-64-default');
    await assert.rejects(
      (await api.client('root')).image.allow({
        image: 'waltplatform/pc-x86-64-default',
        visibility: 'private',
      }),
      failure('INVALID', /is the platform's/),
    );
  });
});
