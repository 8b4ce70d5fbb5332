import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { ORPCError } from '@orpc/client';
import { CONTRACT_HEADER, CONTRACT_TEXT, RPC_PREFIX } from '@walt/contract';
import { errorFrame, failure, openApi, openStream, send } from '../../../test/api.ts';
import { defaultLimits, ExternalError, isUserError, run } from '../../platform/index.ts';
import { listen } from './listen.ts';

const api = await openApi();
/** For tests that play what nodes answer. */
const nodeCalls = api.services.calls.node;

describe('the socket', () => {
  test('is open to everybody', async () => {
    assert.equal((await stat(api.socket)).mode & 0o777, 0o666);
  });

  test('of a living server is not taken over', async () => {
    await assert.rejects(
      listen(api.services, api),
      (error) => isUserError(error) && error.code === 'CONFLICT',
    );
    await (await api.client('alice')).server.status();
  });

  test('of a dead server is', async () => {
    const path = `${api.folder}/stale.sock`;
    // Only a killed process leaves its socket behind.
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await assert.rejects(run([process.execPath, '-e', script]));
    await stat(path);
    const second = await listen(api.services, { socket: path });
    await second.close();
    await assert.rejects(stat(path), { code: 'ENOENT' });
  });
});

describe('a client of another version of the contract', () => {
  const foreign: [version: string, message: RegExp, hint: RegExp][] = [
    ['0.9', /^Your walt speaks version 0\.9 of its contract, this server version 1\.\d+\.$/, /Upgrade walt/],
    ['2.0', /speaks version 2\.0/, /Ask the administrator/],
    ['nonsense', /speaks version that there is not/, /Ask the administrator/],
  ];
  for (const [version, message, hint] of foreign) {
    test(`${version} is told who must be upgraded, before anything else`, async () => {
      const answer = await send(api.socket, `${RPC_PREFIX}/none`, {
        method: 'POST',
        headers: { [CONTRACT_HEADER]: version },
      });
      const refusal = JSON.parse(Buffer.concat(await answer.toArray()).toString());
      assert.deepEqual([answer.statusCode, refusal.code], [426, 'VERSION']);
      assert.match(refusal.message, message);
      assert.match(refusal.data.hint, hint);
      const stream = await openStream(api, '/stream/console?node=n1', undefined, {
        [CONTRACT_HEADER]: version,
      });
      errorFrame('VERSION', message)(await stream.ended);
    });
  }

  for (const version of ['1.0', '1.9999']) {
    test(`${version}, of the same major one, is answered, and told ours`, async () => {
      const headers = { authorization: `Bearer ${await api.token('alice')}`, [CONTRACT_HEADER]: version };
      const answer = await send(api.socket, `${RPC_PREFIX}/server/status`, { method: 'POST', headers });
      answer.resume();
      assert.deepEqual([answer.statusCode, answer.headers[CONTRACT_HEADER]], [200, CONTRACT_TEXT]);
    });
  }
});

describe('a client that', () => {
  const upgrade = (path: string) =>
    `GET ${path} HTTP/1.1\r\nhost: walt\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`;
  /** Sends that and, unless it stays, resets the connection at once. Resolves at the end with what came. */
  const say = (text: string, stays: boolean) =>
    new Promise<string>((resolve) => {
      const socket = connect(api.socket);
      let answer = '';
      socket.on('data', (bytes) => {
        answer += bytes;
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(answer));
      socket.write(text, () => {
        if (!stays) socket.destroy();
      });
    });

  for (const path of ['//', '/none', 'http://', '*', '/stream/tcp?%', '/rpc/server/status']) {
    test(`wants a stream ${path} that is none, and stays or leaves, is the end of his connection only`, async () => {
      for (const stays of [true, false, false, false]) await say(upgrade(path), stays);
      assert.equal((await (await api.client('alice')).server.status()).user, 'alice');
      assert.deepEqual(api.journal, []);
    });
  }

  test('has as much open as he may is told so, and others are served', async (t) => {
    const { callsPerUser, streamsPerUser } = defaultLimits();
    const release = Promise.withResolvers<void>();
    const alice = await api.client('alice');
    let begun = 0;
    const all = Promise.withResolvers<void>();
    t.mock.method(nodeCalls, 'list', async () => {
      begun += 1;
      if (begun === callsPerUser) all.resolve();
      await release.promise;
      return [];
    });
    const calls = Array.from({ length: callsPerUser }, () => alice.node.list({}));
    await all.promise;
    await assert.rejects(alice.server.status(), failure('BUSY', /have 128 calls open/, /calls-per-user/));
    assert.equal((await (await api.client('bob')).server.status()).user, 'bob');
    release.resolve();
    await Promise.all(calls);
    assert.equal((await alice.server.status()).user, 'alice');

    const node = await api.node('vnode1');
    await api.serve(node.console.socket, () => {});
    const token = await api.token('alice');
    const streams = await Promise.all(
      Array.from({ length: streamsPerUser }, () => openStream(api, '/stream/console?node=vnode1', token)),
    );
    const refused = await openStream(api, '/stream/console?node=vnode1', token);
    errorFrame('BUSY', /have 256 streams open/)(await refused.ended);
    for (const { socket } of streams) socket.terminate();
  });
});

describe('connections that a client does not close', () => {
  const upgrade = (path: string, headers: string[]) => [
    `GET ${path} HTTP/1.1`,
    'host: walt',
    'connection: upgrade',
    'upgrade: websocket',
    ...headers,
    '',
    '',
  ];
  const stream = [
    `${CONTRACT_HEADER}: ${CONTRACT_TEXT}`,
    'sec-websocket-version: 13',
    'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
  ];
  const held: [what: string, lines: (token: string) => string[]][] = [
    ['because the stream that he wanted is none', () => upgrade('/none', [])],
    ['because he is nobody', () => upgrade('/stream/console?node=n1', stream)],
    [
      'though his stream has ended',
      (token) => upgrade('/stream/console?node=n1', [...stream, `authorization: Bearer ${token}`]),
    ],
  ];
  for (const [what, lines] of held) {
    test(`${what}, keep nobody out`, async () => {
      const limits = defaultLimits();
      const socket = `${api.folder}/few.sock`;
      limits.clients = { ...limits.clients, all: 4 };
      await using listening = new AsyncDisposableStack();
      const few = await listen(api.services, { socket }, { limits });
      listening.defer(() => few.close());
      const token = await api.token('alice');
      await Promise.all(
        Array.from({ length: limits.clients.all }, async () => {
          const one = connect({ path: socket, allowHalfOpen: true });
          listening.defer(() => void one.destroy());
          one.write(lines(token).join('\r\n'));
          let answer = '';
          // Until it was told why; nothing is closed, and no closing frame is sent.
          for await (const bytes of one.iterator({ destroyOnReturn: false })) {
            answer += bytes;
            if (/404|"type":"error"/.test(answer)) break;
          }
          one.on('error', () => {});
        }),
      );
      const answer = await send(socket, `${RPC_PREFIX}/server/status`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, [CONTRACT_HEADER]: CONTRACT_TEXT },
      });
      answer.resume();
      assert.equal(answer.statusCode, 200);
    });
  }
});

describe('who calls', () => {
  test('is asked and proven over the API itself', async () => {
    const stranger = await api.client(null);
    const { file, nonce } = await stranger.auth.challenge();
    await writeFile(join(dirname(api.socket), 'auth', file), nonce, { mode: 0o600 });
    const { user } = await stranger.auth.prove({ nonce });
    assert.equal(user, 'root');
  });

  test('reaches every call, and each needs it', async () => {
    assert.equal((await (await api.client('alice')).server.status()).user, 'alice');
    const stranger = await api.client(null);
    await assert.rejects(stranger.server.status(), failure('UNAUTHENTICATED', /not signed in/));
    await assert.rejects(stranger.node.list({}), failure('UNAUTHENTICATED', /not signed in/));
    // Not even the form of the input is discussed with strangers.
    await assert.rejects(stranger.image.get({ image: '///' }), failure('UNAUTHENTICATED', /not signed in/));
  });

  test('follows lines of logs only as long as he is a user', async (t) => {
    const lines = new PassThrough();
    t.mock.method(api.services.logs, 'read', async () => lines);
    const headers = { authorization: `Bearer ${await api.token('bob')}`, [CONTRACT_HEADER]: CONTRACT_TEXT };
    const followed = await send(api.socket, '/log/lines?set=all-nodes&follow=yes', {
      method: 'GET',
      headers,
    });
    const ended = assert.rejects(followed.toArray(), { code: 'ECONNRESET' });
    lines.write('H\n');
    await once(followed, 'data');
    api.users.delete(1001);
    api.passes(11_000);
    await api.services.rights.review();
    await ended;
    assert.ok(lines.destroyed);
  });
});

describe('a call', () => {
  const ask = async (body: string) => {
    const headers = { authorization: `Bearer ${await api.token('alice')}`, [CONTRACT_HEADER]: CONTRACT_TEXT };
    const answer = await send(api.socket, `${RPC_PREFIX}/node/list`, {
      ...{ method: 'POST', headers, body: Buffer.from(body) },
    });
    const text = Buffer.concat(await answer.toArray()).toString();
    return { status: answer.statusCode, text };
  };
  const foreign: [what: string, body: string][] = [
    ['a regular expression that is none', '{"json":{"set":"/(/"},"meta":[[5,"set"]]}'],
    ['a date', '{"json":{"set":"2026-01-01"},"meta":[[1,"set"]]}'],
    ['types that are no list', '{"json":{},"meta":{"length":1}}'],
    ['a type that is no list', '{"json":{},"meta":[3]}'],
    ['no JSON', 'x'],
  ];
  for (const [what, body] of foreign) {
    test(`with ${what} cannot be read, and the journal hears nothing of it`, async () => {
      const { status, text } = await ask(body);
      assert.equal(status, 422);
      assert.match(text, /"The request cannot be read\."/);
      assert.deepEqual(api.journal, []);
    });
  }

  test('may leave a field without a value', async () => {
    assert.deepEqual(await ask('{"json":{"set":null},"meta":[[3,"set"]]}'), {
      status: 200,
      text: '{"json":[]}',
    });
  });
});

describe('errors', () => {
  test('of users arrive as declared in the contract', async () => {
    const alice = await api.client('alice');
    await assert.rejects(alice.image.get({ image: 'none' }), (error) => {
      assert.ok(error instanceof ORPCError);
      assert.equal(error.defined, true);
      return failure('NOT_FOUND', /no image named "alice\/none"/, /walt image show/)(error);
    });
  });

  test('of input name the field, what was given and the rule', async () => {
    const alice = await api.client('alice');
    await assert.rejects(
      alice.node.create({ name: 'Node 1' }),
      failure('INVALID', /^The name "Node 1" must be 2 to 63 lower-case letters/),
    );
    await assert.rejects(
      alice.node.ping({ name: 'node1', count: 0 }),
      failure('INVALID', /^--count 0 is not valid: .*>=1/),
    );
    assert.deepEqual(api.journal, []);
  });

  test('of outside programs go to the journal as a whole', async (t) => {
    t.mock.method(nodeCalls, 'list', async () => {
      throw new ExternalError(['ip', 'link'], 2, 'first\nRTNETLINK answers: no');
    });
    const alice = await api.client('alice');
    await assert.rejects(
      alice.node.list({}),
      failure('EXTERNAL', /ip failed \(exit status 2\).*RTNETLINK/, /journal/),
    );
    assert.match(api.journal.join(), /first/);
  });

  test('of ours tell the client nothing but where to look', async (t) => {
    t.mock.method(nodeCalls, 'list', async () => {
      throw new Error('secret detail');
    });
    const alice = await api.client('alice');
    await assert.rejects(
      alice.node.list({}),
      failure('INTERNAL_SERVER_ERROR', /^The server made a mistake/, /walt-server status/),
    );
    assert.match(api.journal.join(), /secret detail.*listen\.test\.ts/);
  });

  test('inside a stream of events arrive, too', async (t) => {
    t.mock.method(nodeCalls, 'wait', async () =>
      (async function* () {
        yield { type: 'progress' as const, step: 'waiting' };
        throw new ExternalError(['qemu'], 1, 'boom');
      })(),
    );
    const seen: unknown[] = [];
    const alice = await api.client('alice');
    const watch = async () => {
      for await (const event of await alice.node.wait({ set: 'vnode1' })) seen.push(event);
    };
    await assert.rejects(watch(), failure('EXTERNAL', /qemu failed/));
    assert.deepEqual(seen, [{ type: 'progress', step: 'waiting' }]);
  });

  test('answers that break the contract are a mistake of ours', async (t) => {
    t.mock.method(nodeCalls, 'list', async () => [{ name: 'vnode1' }]);
    await assert.rejects(
      (await api.client('alice')).node.list({}),
      failure('INTERNAL_SERVER_ERROR', /mistake/),
    );
    assert.match(api.journal.join(), /Output validation failed.*mac/s);
  });

  const raw: Record<string, { path: string; body: string; status: number; code: string }> = {
    'no call': { path: '/other', body: '', status: 404, code: 'NOT_FOUND' },
    'an unknown call': { path: `${RPC_PREFIX}/node/explode`, body: '{}', status: 404, code: 'NOT_FOUND' },
    'what is no JSON': { path: `${RPC_PREFIX}/node/list`, body: '{', status: 422, code: 'INVALID' },
    'what is too large': {
      path: `${RPC_PREFIX}/node/list`,
      body: JSON.stringify({ json: { set: 'a'.repeat(1024 * 1024) } }),
      status: 422,
      code: 'INVALID',
    },
  };
  for (const [name, { path, body, status, code }] of Object.entries(raw)) {
    test(`${name} gets an answer with a next step`, async () => {
      const headers = {
        authorization: `Bearer ${await api.token('alice')}`,
        'content-type': 'application/json',
      };
      const answer = await send(api.socket, path, { method: 'POST', headers, body: Buffer.from(body) });
      const text = Buffer.concat(await answer.toArray()).toString();
      assert.equal(answer.statusCode, status, text);
      assert.match(text, new RegExp(`"code":"${code}".*"hint":"Use|"code":"${code}".*"hint":"Split`));
    });
  }
});

test('a client that leaves aborts its call', async (t) => {
  const left = Promise.withResolvers<void>();
  const { wait } = nodeCalls;
  t.mock.method(nodeCalls, 'wait', (...[caller, input, signal]: Parameters<typeof wait>) => {
    signal.addEventListener('abort', () => left.resolve());
    return wait(caller, input, signal);
  });
  const boot = api.server.machines.hold();
  await api.server.addImage('alice/debian');
  await api.server.addNode('vnode1');
  const leave = new AbortController();
  const events = await (await api.client('alice')).node.wait({ set: 'vnode1' }, { signal: leave.signal });
  const first = await events.next();
  assert.equal(first.done, false);
  leave.abort();
  await left.promise;
  assert.deepEqual(api.journal, []);
  await api.server.clear();
  boot();
});
