/** A registry that wants passwords sent elsewhere, leads to this machine, or never ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { temporaryFolder } from '../../../test/platform.ts';
import { makeCertificates } from '../../../test/registry.ts';
import { searchRegistry } from '../registries/registry-search.ts';
import { nextPage, type RegistryAccess, RegistryGate } from './gate.ts';

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/** What a server was asked, and by whom. */
interface Heard {
  path: string;
  authorization: string | undefined;
}

class TestServer implements AsyncDisposable {
  readonly heard: Heard[] = [];
  handle: Handle = (_request, response) => response.end('{}');
  readonly #server: Server;

  constructor(make: (handle: Handle) => Server = createServer) {
    this.#server = make((request, response) => {
      this.heard.push({ path: request.url ?? '', authorization: request.headers.authorization });
      this.handle(request, response);
    });
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const LOGIN = { username: 'ann', password: 'secret' };
const BASIC = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
const DIGEST = `sha256:${'a'.repeat(64)}`;

let registry: TestServer;
/** What nobody should ask. */
let witness: TestServer;
let opened: RegistryGate[];

beforeEach(async () => {
  opened = [];
  registry = await new TestServer().listen();
  witness = await new TestServer().listen();
});
afterEach(async () => {
  for (const gate of opened) await gate[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await witness[Symbol.asyncDispose]();
});

function openGate(more: Partial<RegistryAccess> = {}, signal?: AbortSignal): RegistryGate {
  const host = `127.0.0.1:${registry.port}`;
  const gate = new RegistryGate(
    {
      ...{ label: 'liar', host, platform: '/run/walt-test', origin: `http://${host}`, searchOrigin: null },
      ...{ credentials: null, authority: null, otherHosts: [], silence: 120_000, ...more },
    },
    (argv) => [...argv],
    signal,
  );
  opened.push(gate);
  return gate;
}

const leadTo =
  (location: string): Handle =>
  (_request, response) => {
    response.writeHead(307, { location }).end();
  };

const demand =
  (realm: string): Handle =>
  (request, response) => {
    if (request.headers.authorization === 'Bearer good') response.end('{"ok":true}');
    else {
      const authenticate = `Bearer realm="${realm}",service="s",scope="repository:exp:pull"`;
      response.writeHead(401, { 'www-authenticate': authenticate }).end();
    }
  };

const giveToken: Handle = (_request, response) => response.end('{"token":"good"}');
const witnessHost = () => `127.0.0.1:${witness.port}`;

describe('a realm', () => {
  test('on another host gets no password, and the user learns which host it is', async () => {
    registry.handle = demand(`http://${witnessHost()}/token`);
    await assert.rejects(openGate({ credentials: LOGIN }).manifest('exp', 'v1'), {
      code: 'FORBIDDEN',
      message: new RegExp(`your password sent to ${witnessHost()}`),
      hint: new RegExp(`adds "${witnessHost()}" to "other-hosts"`),
    });
    assert.deepEqual(witness.heard, []);
    // Nor did the registry itself: it asked for no password.
    assert.ok(registry.heard.every(({ authorization }) => authorization === undefined));
  });

  test("on this machine is not asked by who isn't logged in either", async () => {
    registry.handle = demand(`http://${witnessHost()}/token`);
    await assert.rejects(openGate().manifest('exp', 'v1'), { message: /leads to 127\.0\.0\.1/ });
    assert.deepEqual(witness.heard, []);
  });

  test('on a host that the administrator named gets it', async () => {
    registry.handle = demand(`http://${witnessHost()}/token`);
    witness.handle = giveToken;
    const text = await openGate({ credentials: LOGIN, otherHosts: [witnessHost()] }).manifest('exp', 'v1');
    assert.equal(text, '{"ok":true}');
    const path = '/token?service=s&scope=repository%3Aexp%3Apull';
    assert.deepEqual(witness.heard, [{ path, authorization: BASIC }]);
  });

  test('of the registry itself gets it, once for several requests', async () => {
    registry.handle = (request, response) => {
      const handle = request.url?.startsWith('/token')
        ? giveToken
        : demand(`http://${request.headers.host}/token`);
      handle(request, response);
    };
    const asked = openGate({ credentials: LOGIN });
    for (const tag of ['v1', 'v2']) assert.equal(await asked.manifest('exp', tag), '{"ok":true}');
    assert.deepEqual(
      registry.heard.map(({ authorization }) => authorization),
      [undefined, BASIC, 'Bearer good', 'Bearer good'],
    );
  });

  for (const token of ['"a\\r\\nx: y"', '17', '""', '"ü"']) {
    test(`does not get ${token} into a header`, async () => {
      registry.handle = (request, response) => {
        if (request.url?.startsWith('/token')) response.end(`{"token":${token}}`);
        else demand(`http://${request.headers.host}/token`)(request, response);
      };
      await assert.rejects(openGate().manifest('exp', 'v1'), { message: /answers what no registry may/ });
    });
  }
});

describe('a registry that leads to this machine', () => {
  const names: [what: string, host: (port: number) => string][] = [
    ['an address', (port) => `127.0.0.1:${port}`],
    ['a name', (port) => `localhost:${port}`],
    ['a number', (port) => `2130706433:${port}`],
    ['short octets', (port) => `0x7f.1:${port}`],
    ['IPv6', (port) => `[::1]:${port}`],
    ['IPv4 in IPv6', (port) => `[::ffff:127.0.0.1]:${port}`],
    ['no address', (port) => `0.0.0.0:${port}`],
    ["a cloud's metadata", () => '169.254.169.254'],
  ];
  for (const [what, host] of names) {
    test(`by ${what} is not followed`, async () => {
      registry.handle = leadTo(`http://${host(witness.port)}/secret`);
      await assert.rejects(openGate().blob('exp', DIGEST), {
        code: 'FORBIDDEN',
        message: /on its own networks; nobody asked there/,
      });
      assert.deepEqual(witness.heard, []);
    });
  }

  test('is followed where the administrator named the host, without what proves who asks', async () => {
    registry.handle = (request, response) => {
      if (request.headers.authorization === BASIC) leadTo(`http://${witnessHost()}/blob`)(request, response);
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    };
    const asked = openGate({ credentials: LOGIN, otherHosts: [witnessHost()] });
    assert.equal(await asked.blob('exp', DIGEST), '{}');
    assert.deepEqual(witness.heard, [{ path: '/blob', authorization: undefined }]);
  });

  for (const location of [
    'file:///etc/passwd',
    'ftp://127.0.0.1/',
    'javascript:1',
    'http://',
    'http://[::',
  ]) {
    test(`does not lead to ${location}`, async () => {
      registry.handle = leadTo(location);
      await assert.rejects(openGate().blob('exp', DIGEST), {
        message: /leads to|answers what no registry may/,
      });
    });
  }

  test('does not lead there in the middle of an upload, by the door', async () => {
    registry.handle = (_request, response) => {
      response.writeHead(202, { location: `http://${witnessHost()}/upload` }).end();
    };
    const asked = openGate();
    const door = await asked.open('exp');
    const ask = await throughDoor(door);
    const begun = await ask(`/v2/exp/blobs/uploads/`, { method: 'POST' });
    assert.equal(begun.status, 202);
    const place = begun.headers.get('location') ?? '';
    assert.match(place, /^\/v2\/UPLOADS\/0$/);
    assert.equal((await ask(place, { method: 'PUT', body: 'x' })).status, 502);
    assert.match(String(await asked.failure('exp:v1')), /leads to 127\.0\.0\.1/);
    assert.deepEqual(witness.heard, []);
  });
});

/** A program that was let through the door. */
async function throughDoor({ name, logins }: { name: string; logins: string }) {
  const [address = ''] = name.split('/');
  const { auth } = JSON.parse(logins).auths[address];
  return (path: string, init: RequestInit = {}) =>
    fetch(`http://${address}${path}`, { ...init, headers: { authorization: `Basic ${auth}` } });
}

describe('the door', () => {
  test('is closed to who does not know the secret, and leads into one repository only', async () => {
    const door = await openGate().open('exp');
    const [address = ''] = door.name.split('/');
    const paths = ['/v2/', '/v2/exp/manifests/v1'];
    for (const path of paths) assert.equal((await fetch(`http://${address}${path}`)).status, 401);
    assert.deepEqual(registry.heard, []);
    const ask = await throughDoor(door);
    const others = [
      '/v2/other/manifests/v1',
      '/v2/_catalog',
      '/',
      '/v2/exp/../other/blobs/x',
      '/v2/uploads/0',
    ];
    for (const path of others) assert.equal((await ask(path)).status, 404, path);
    assert.equal((await ask('/v2/exp/manifests/v1', { method: 'DELETE' })).status, 404);
    assert.deepEqual(registry.heard, []);
    assert.equal((await ask('/v2/exp/manifests/v1')).status, 200);
  });

  test('does not call it a failure of the registry when the program leaves', async () => {
    const sent = { bytes: 0 };
    registry.handle = endless('x'.repeat(60_000), sent);
    const asked = openGate();
    const ask = await throughDoor(await asked.open('exp', { [DIGEST]: 2 ** 40 }));
    const closed = new Promise<void>((resolve) => {
      const { handle } = registry;
      registry.handle = (request, response) => {
        response.on('close', resolve);
        handle(request, response);
      };
    });
    const given = new AbortController();
    const answer = await ask(`/v2/exp/blobs/${DIGEST}`, { signal: given.signal });
    await answer.body?.getReader().read();
    given.abort();
    await closed;
    assert.equal(await asked.failure('exp:v1'), undefined);
  });

  test('shows nothing of what the registry says about other places', async () => {
    registry.handle = (_request, response) => {
      const headers = {
        'www-authenticate': 'Bearer realm="http://evil"',
        location: 'http://evil/',
        link: '<x>',
      };
      response.writeHead(401, headers).end();
    };
    const ask = await throughDoor(await openGate().open('exp'));
    const { headers } = await ask('/v2/exp/manifests/v1').catch(() => ({ headers: new Headers() }));
    for (const name of ['www-authenticate', 'location', 'link']) assert.equal(headers.get(name), null);
  });
});

describe('HTTPS', () => {
  let folder: string;
  let ca: string;
  let safe: TestServer;
  before(async () => {
    folder = await temporaryFolder();
    const made = await makeCertificates(folder);
    ca = await readFile(made.ca, 'utf8');
    const [cert, key] = [await readFile(made.certificate), await readFile(made.key)];
    safe = await new TestServer((handle) => createTlsServer({ cert, key }, handle)).listen();
  });
  after(async () => {
    await safe[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const asked = () =>
    openGate({ origin: `https://localhost:${safe.port}`, authority: ca, credentials: LOGIN });

  test('does not become HTTP, for a token or a layer', async () => {
    safe.handle = demand(`http://localhost:${witness.port}/token`);
    await assert.rejects(asked().manifest('exp', 'v1'), { message: /connection that others can read/ });
    safe.handle = leadTo(`http://localhost:${witness.port}/`);
    await assert.rejects(asked().blob('exp', DIGEST), { message: /connection that others can read/ });
    assert.deepEqual(witness.heard, []);
  });

  test('with a certificate for another name is none', async () => {
    safe.handle = (_request, response) => response.end('{}');
    const other = openGate({ origin: `https://127.0.0.2:${safe.port}`, authority: ca });
    await assert.rejects(other.manifest('exp', 'v1'), { code: 'UNAVAILABLE' });
    assert.equal(await asked().manifest('exp', 'v1'), '{}');
  });
});

describe('behind a proxy', () => {
  let proxy: TestServer;
  before(async () => {
    proxy = await new TestServer().listen();
    process.env.http_proxy = `http://127.0.0.1:${proxy.port}`;
  });
  after(async () => {
    delete process.env.http_proxy;
    await proxy[Symbol.asyncDispose]();
  });

  test('registries are asked through it, but not for what is on our own networks', async () => {
    const asked = openGate({ origin: 'http://registry.invalid' });
    assert.equal(await asked.manifest('exp', 'v1'), '{}');
    assert.deepEqual(
      proxy.heard.map(({ path }) => path),
      ['http://registry.invalid/v2/exp/manifests/v1'],
    );
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      proxy.handle = leadTo(`http://${host}:${witness.port}/`);
      await assert.rejects(asked.blob('exp', DIGEST), { message: /on its own networks; nobody asked there/ });
    }
    assert.equal(proxy.heard.length, 4);
    assert.deepEqual(witness.heard, []);
  });
});

/** Bytes that a server got rid of. */
function endless(chunk: string, sent: { bytes: number }): Handle {
  return (_request, response) => {
    const more = () => {
      while (!response.destroyed && sent.bytes < 2 ** 30) {
        sent.bytes += chunk.length;
        if (!response.write(chunk)) return;
      }
    };
    response.on('drain', more);
    more();
  };
}

describe('a registry that never ends', () => {
  test('sends a list: it is left after a bounded number of bytes', async () => {
    const sent = { bytes: 0 };
    registry.handle = endless(`"${'x'.repeat(1000)}",`.repeat(60), sent);
    await assert.rejects(searchRegistry(openGate(), 'docker-registry-v2', undefined), {
      code: 'EXTERNAL',
      message: /sends more .* than it may/,
    });
    assert.ok(sent.bytes < 64 * 2 ** 20, `${sent.bytes} bytes`);
  });

  test('has always one more page: what is new is taken, up to a bound', async () => {
    let page = 0;
    registry.handle = (request, response) => {
      if (request.url?.includes('tags')) return void response.end('{"tags":["v1"]}');
      page += 1;
      const repositories = Array.from({ length: 200 }, (_, at) => `exp${page}/r${at}`);
      response.setHeader('link', `</v2/_catalog?last=${page}>; rel="next"`);
      response.end(JSON.stringify({ repositories }));
    };
    const { images, cut } = await searchRegistry(openGate(), 'docker-registry-v2', 'exp1/');
    assert.equal(cut, true);
    assert.equal(images.length, 100);
    assert.ok(page <= 100, `${page} pages`);
  });

  test('sends the same page for ever: it is asked twice', async () => {
    registry.handle = (request, response) => {
      response.setHeader('link', `<${request.url}>; rel="next"`);
      response.end(request.url?.includes('tags') ? '{"tags":["v1"]}' : '{"repositories":["exp"]}');
    };
    const { images } = await searchRegistry(openGate(), 'docker-registry-v2', undefined);
    assert.deepEqual(
      images.map(({ link }) => link),
      ['liar:exp:v1'],
    );
    assert.equal(registry.heard.length, 4);
  });

  test('names what is no name: it is left out', async () => {
    const repositories = ['exp', '\x1b[31mred', '../x', 'a:b', 'A', 17, null, 'x'.repeat(300)];
    const tags = ['v1', '\x1b]0;title\x07', 'a/b', '', null];
    registry.handle = (request, response) =>
      void response.end(JSON.stringify(request.url?.includes('tags') ? { tags } : { repositories }));
    const { images } = await searchRegistry(openGate(), 'docker-registry-v2', undefined);
    assert.deepEqual(
      images.map(({ link }) => link),
      ['liar:exp:v1'],
    );
  });

  for (const [what, handle] of [
    ['does not answer', () => {}],
    ['begins an answer', (_request, response) => void response.writeHead(200).write('{')],
  ] as [string, Handle][]) {
    test(`${what}: it is given up`, async () => {
      registry.handle = handle;
      await assert.rejects(openGate({ silence: 300 }).manifest('exp', 'v1'), {
        code: 'UNAVAILABLE',
        message: /sends nothing any more/,
      });
    });
  }
});

test('who leaves ends the program, and what it asked', async () => {
  const asked = Promise.withResolvers<IncomingMessage>();
  registry.handle = (request) => asked.resolve(request);
  const given = new AbortController();
  const own = openGate({}, given.signal);
  const waiting = own.manifest('exp', 'v1');
  const request = await asked.promise;
  const closed = once(request.socket, 'close');
  assert.equal((await gates()).length, 1);
  given.abort(new Error('client is gone'));
  await assert.rejects(waiting, /client is gone/);
  await closed;
  while ((await gates()).length > 0) await pause(20);
  await assert.rejects(own.manifest('exp', 'v1'), /client is gone/);
});

/** Processes that are gates of this test. */
async function gates(): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    const text = await readFile(join('/proc', pid, 'stat'), 'utf8').catch(() => '');
    const [, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const argv = await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '');
    if (parent === String(process.pid) && argv.includes('registry-gate')) found.push(pid);
  }
  return found;
}

const links: [link: string | null, page: string | undefined][] = [
  [null, undefined],
  ['</v2/_catalog?last=b&n=2>; rel="next"', '/v2/_catalog?last=b&n=2'],
  ['<https://lab.example/v2/_catalog?last=b>; rel=next', '/v2/_catalog?last=b'],
  ['<http://evil.example/secret>; rel="next"', undefined],
  ['</v2/../../secret>; rel="next"', undefined],
  ['</v2/_catalog>; rel="prev"', undefined],
  ['><', undefined],
];
for (const [link, page] of links)
  test(`after ${link} comes ${page}`, () => assert.equal(nextPage(link), page));
