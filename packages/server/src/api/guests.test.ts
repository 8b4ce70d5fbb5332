/** Nodes that their owner lets others use: from the call to what is open there. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { booted, errorFrame, failure, handOver, openApi, openStream } from '../../test/api.ts';
import { playLogins } from '../../test/logins.ts';

const { groups, logins } = playLogins();
const api = await openApi({ logins });
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f';

let alice: Awaited<ReturnType<typeof api.client>>;
let bob: typeof alice;
let carol: typeof alice;

beforeEach(async () => {
  groups.clear();
  groups.set('students', new Set());
  [alice, bob, carol] = await Promise.all([api.client('alice'), api.client('bob'), api.client('carol')]);
});

/** A door of alice's node that is open for somebody: it answers what it is sent. */
async function open(user: string) {
  const { ip } = await api.node('vnode1');
  const port = await api.serve(ip, (socket) => socket.on('data', (data) => socket.write(`got ${data}`)));
  const enter = async () => openStream(api, `/stream/tcp?node=vnode1&port=${port}`, await api.token(user));
  return { enter };
}

async function isIn(stream: Awaited<ReturnType<typeof openStream>>): Promise<void> {
  stream.socket.send(Buffer.from('me'));
  await stream.until('got me');
}

describe('a node that its owner shares', () => {
  test('is open to a user from then on, until it is taken back: then what he has open there ends', async () => {
    const { enter } = await open('bob');
    errorFrame('FORBIDDEN', /Node vnode1 belongs to alice/)(await (await enter()).ended);
    const told = await alice.node.allow({ set: 'vnode1', users: ['bob'] });
    assert.deepEqual(told, { nodes: [{ name: 'vnode1', users: ['bob'], groups: [] }] });
    const stream = await enter();
    await isIn(stream);
    await bob.access.certify({ nodes: ['vnode1'], publicKey: KEY });
    assert.deepEqual((await bob.node.reboot({ set: 'vnode1' })).nodes, ['vnode1']);
    await alice.node.disallow({ set: 'vnode1', users: ['bob'] });
    errorFrame('FORBIDDEN', /Node vnode1 belongs to alice/)(await stream.ended);
    errorFrame('FORBIDDEN', /Node vnode1 belongs to alice/)(await (await enter()).ended);
    await assert.rejects(
      bob.access.certify({ nodes: ['vnode1'], publicKey: KEY }),
      failure('FORBIDDEN', /Node vnode1 belongs to alice/),
    );
    await assert.rejects(bob.node.reboot({ set: 'vnode1' }), failure('CONFIRM', /in use by alice/));
  });

  test('is open to a group as long as he is in it', async () => {
    const { enter } = await open('carol');
    await alice.node.allow({ set: 'vnode1', groups: ['students'] });
    errorFrame('FORBIDDEN', /belongs to alice/)(await (await enter()).ended);
    groups.get('students')?.add('carol');
    const stream = await enter();
    await isIn(stream);
    groups.get('students')?.delete('carol');
    await api.services.rights.review();
    errorFrame('FORBIDDEN', /belongs to alice/)(await stream.ended);
  });

  test('has a console for those, too', async () => {
    const { console } = await api.node('vnode1');
    await api.serve(console.socket, (socket) => socket.write('login: '));
    await alice.node.allow({ set: 'vnode1', users: ['bob'] });
    const stream = await openStream(api, '/stream/console?node=vnode1', await api.token('bob'));
    await stream.until('login: ');
    await alice.node.disallow({ set: 'vnode1', all: true });
    errorFrame('FORBIDDEN', /belongs to alice/)(await stream.ended);
  });

  test('tells with whom, and who else may use it is for its owner and administrators to say', async () => {
    await api.node('vnode1');
    groups.set('the staff', new Set());
    await alice.node.allow({ set: 'vnode1', users: ['carol', 'bob'], groups: ['the staff', 'students'] });
    await alice.node.allow({ set: 'vnode1', users: ['bob'] });
    const [details] = await bob.node.details({ set: 'vnode1' });
    assert.deepEqual(details?.guests, { users: ['bob', 'carol'], groups: ['students', 'the staff'] });
    for (const change of [
      bob.node.allow({ set: 'vnode1', users: ['bob'] }),
      carol.node.disallow({ set: 'vnode1', users: ['bob'] }),
    ])
      await assert.rejects(change, failure('FORBIDDEN', /in use by alice: only the owner/));
    const root = await api.client('root');
    await root.node.disallow({ set: 'vnode1', users: ['bob', 'carol'], groups: ['students'] });
    assert.deepEqual((await alice.node.details({ set: 'vnode1' }))[0]?.guests, {
      users: [],
      groups: ['the staff'],
    });
  });

  test('may boot another image of its owner by them, and stays his; taking it is asked as ever', async () => {
    await api.node('vnode1');
    await api.server.addImage('alice/other');
    await api.server.addImage('bob/mine');
    await assert.rejects(
      bob.node.boot({ set: 'vnode1', image: 'alice/other' }),
      failure('FORBIDDEN', /alice's image/),
    );
    await alice.node.allow({ set: 'vnode1', users: ['bob'] });
    await bob.node.boot({ set: 'vnode1', image: 'alice/other' });
    const [node] = await bob.node.details({ set: 'vnode1' });
    assert.deepEqual([node?.image, node?.owner, node?.guests.users], ['alice/other', 'alice', ['bob']]);
    await assert.rejects(bob.node.boot({ set: 'vnode1', image: 'mine' }), failure('CONFIRM', /take it over/));
    await assert.rejects(
      bob.node.boot({ set: 'vnode1', image: 'default' }),
      failure('UNAVAILABLE', /default/),
    );
    await assert.rejects(bob.node.release({ set: 'vnode1' }), failure('CONFIRM', /release/));
  });

  test('is forgotten to be shared when it is released, or somebody else takes it', async () => {
    await api.node('vnode1');
    await alice.node.allow({ set: 'vnode1', users: ['carol'] });
    await handOver(api, 'vnode1');
    await booted(api, 'vnode1');
    assert.deepEqual((await bob.node.details({ set: 'vnode1' }))[0]?.guests, { users: [], groups: [] });
    await assert.rejects(
      carol.access.certify({ nodes: ['vnode1'], publicKey: KEY }),
      failure('FORBIDDEN', /Node vnode1 belongs to bob/),
    );
    await alice.node.boot({ set: 'vnode1', image: 'debian', yes: true });
    assert.deepEqual((await alice.node.details({ set: 'vnode1' }))[0]?.guests, { users: [], groups: [] });
  });

  test('exposes ports for as long as it is his; what a free node exposes stays for who takes it', async () => {
    await api.node('vnode1');
    const root = await api.client('root');
    const exposed = async () => {
      const [node] = (await root.node.settings({ set: 'vnode1' })).nodes;
      return node?.settings.find(({ name }) => name === 'expose')?.value;
    };
    const expose = (by: typeof alice, value: string) =>
      by.node.config({ set: 'vnode1', settings: [{ name: 'expose', value }] });
    await expose(alice, '80:8080');
    await alice.node.boot({ set: 'vnode1', image: 'debian' });
    assert.equal(await exposed(), '80:8080');
    await handOver(api, 'vnode1');
    assert.equal(await exposed(), 'none');
    await bob.node.release({ set: 'vnode1' });
    await expose(root, '80:8081');
    await bob.node.acquire({ set: 'vnode1' });
    assert.equal(await exposed(), '80:8081');
    await alice.node.boot({ set: 'vnode1', image: 'debian', yes: true });
    assert.equal(await exposed(), 'none');
  });
});

describe('what is refused', () => {
  const refusals: [what: string, input: object, code: string, words: RegExp][] = [
    ['a login that the machine does not know', { users: ['nobody-here'] }, 'NOT_FOUND', /no login "nobody/],
    ['a group that it does not know', { groups: ['no one'] }, 'NOT_FOUND', /knows no group "no one"/],
    ['nobody', {}, 'INVALID', /No login and no group/],
    ...['-x', 'a b', '', '@students', 'a:b', 'x'.repeat(33), '1000', 'ann\n', '$(id)']
      .map(
        (name) => [`the login ${JSON.stringify(name)}`, { users: [name] }, 'INVALID', /^The login/] as const,
      )
      .map((row): [string, object, string, RegExp] => [...row]),
    ...['-x', '', '@students', 'a:b', 'a,b', 'a/b', 'x\u0000', ' x'].map(
      (name): [string, object, string, RegExp] => [
        `the group ${JSON.stringify(name)}`,
        { groups: [name] },
        'INVALID',
        /^--group/,
      ],
    ),
  ];
  for (const [what, input, code, words] of refusals) {
    test(what, async () => {
      await api.node('vnode1');
      await assert.rejects(alice.node.allow({ set: 'vnode1', ...input }), failure(code, words));
      assert.deepEqual((await alice.node.details({ set: 'vnode1' }))[0]?.guests, { users: [], groups: [] });
    });
  }

  test('more than a node is shared with', async () => {
    await api.node('vnode1');
    for (let index = 0; index < 257; index += 1) groups.set(`g${index}`, new Set());
    const all = [...groups.keys()].filter((name) => name.startsWith('g'));
    await alice.node.allow({ set: 'vnode1', groups: all.slice(0, 256) });
    await assert.rejects(
      alice.node.allow({ set: 'vnode1', groups: all.slice(256) }),
      failure('INVALID', /257 logins and groups: 256 is the most/),
    );
    assert.equal((await alice.node.details({ set: 'vnode1' }))[0]?.guests.groups.length, 256);
  });

  test('a free node', async () => {
    await api.node('free1', 'waltplatform/debian');
    await assert.rejects(
      alice.node.allow({ set: 'free1', users: ['bob'] }),
      failure('CONFLICT', /free1 is free: everybody may use/, /walt node acquire free1/),
    );
  });
});
