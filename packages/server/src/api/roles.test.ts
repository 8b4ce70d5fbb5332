/** Each call, stream and plain endpoint of the contract, as each role. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { isContractProcedure } from '@orpc/contract';
import { contract, plain, RPC_PREFIX, streams } from '@walt/contract';
import { WebSocket } from 'ws';
import { failure, openApi, send } from '../../test/api.ts';
import { callRoles, plainRoles, streamRoles } from '../access/index.ts';

const roles = { administrators: ['bob'], members: ['alice'], viewers: ['carol'] };
const api = await openApi({ roles });
api.server.withoutPackages();

/** Refused for the role. */
const isRefused = (status: number | undefined, answer: string) =>
  status === 403 && / is a (viewer|member) of this platform: this is for /.test(answer);

function* calls(
  router: unknown,
  least: unknown,
  path: string[] = [],
): Generator<[path: string, least: string]> {
  if (isContractProcedure(router)) yield [path.join('/'), String(least)];
  else {
    for (const [name, inner] of Object.entries(router as object)) {
      yield* calls(inner, (least as Record<string, unknown> | undefined)?.[name], [...path, name]);
    }
  }
}

async function post(path: string, user: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${await api.token(user)}`, 'content-type': 'application/json' };
  const body = Buffer.from(JSON.stringify({ json: {} }));
  const answer = await send(api.socket, `${RPC_PREFIX}/${path}`, { method: 'POST', headers, body });
  // Input that is none is told afterwards.
  return isRefused(answer.statusCode, await text(answer));
}

describe('a call', () => {
  const { auth: _, ...known } = contract;
  const all = [...calls(known, callRoles)];

  test('has a role, and so has each other', () => {
    assert.ok(all.length > 40, String(all.length));
    assert.deepEqual(
      all.filter(([, least]) => least !== 'viewer' && least !== 'member'),
      [],
    );
  });

  for (const [path, least] of all.filter(([, role]) => role !== 'viewer')) {
    test(`${path} is not for viewers`, async () => {
      assert.equal(await post(path, 'carol'), true);
    });
    // What would end the server's patience, or begin something, is not called for all.
    if (least === 'member') {
      test(`${path} is for members`, async () => assert.equal(await post(path, 'alice'), false));
    }
  }

  for (const [path] of all.filter(([, role]) => role === 'viewer')) {
    test(`${path} is for viewers`, async () => assert.equal(await post(path, 'carol'), false));
  }
});

describe('a stream', () => {
  for (const name of Object.keys(streams) as (keyof typeof streams)[]) {
    for (const [user, expected] of [
      ['carol', streamRoles[name] !== 'viewer'],
      ['alice', false],
    ] as const) {
      test(`${name}, of ${user}`, async () => {
        const headers = { authorization: `Bearer ${await api.token(user)}` };
        const socket = new WebSocket(`ws+unix://${api.socket}:${streams[name].path}`, { headers });
        const [frame] = await once(socket, 'message');
        socket.terminate();
        const { code, message } = JSON.parse(String(frame));
        assert.equal(isRefused(code === 'FORBIDDEN' ? 403 : 200, message), expected, message);
      });
    }
  }
});

describe('a plain endpoint', () => {
  for (const [name, { path }] of Object.entries(plain)) {
    for (const method of ['GET', 'PUT']) {
      test(`${method} ${name}`, async () => {
        const least = plainRoles[name as keyof typeof plain](method);
        const told = async (user: string) => {
          const headers = { authorization: `Bearer ${await api.token(user)}` };
          const answer = await send(api.socket, path, { method, headers });
          return isRefused(answer.statusCode, await text(answer));
        };
        assert.equal(await told('carol'), least !== 'viewer');
        assert.equal(await told('alice'), least === 'administrator');
        assert.equal(await told('bob'), false);
      });
    }
  }
});

test('an administrator may what root may; who has no role may nothing', async () => {
  await api.server.addImage('alice/exp');
  const bob = await api.client('bob');
  await bob.image.rename({ image: 'alice/exp', newName: 'exp2' });
  const carol = await api.client('carol');
  assert.deepEqual(
    (await carol.image.list({ all: true })).map(({ fullName }) => fullName),
    ['alice/exp2'],
  );
  await assert.rejects(
    carol.image.rename({ image: 'alice/exp2', newName: 'exp' }),
    failure(
      'FORBIDDEN',
      /Login carol is a viewer of this platform: this is for members/,
      /`access` in server\.conf/,
    ),
  );
  api.users.set(1002, 'dave');
  // What was known of him is believed for ten seconds.
  api.passes(10_001);
  await assert.rejects(carol.image.list({}), failure('FORBIDDEN', /Login dave may not use this platform/));
});
