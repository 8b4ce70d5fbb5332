import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { loopbackNet } from '../../test/network.ts';
import { startServer, type TestServer } from '../../test/server.ts';
import { serverStatus } from '../../test/status.ts';
import { defaultLimits } from '../platform/index.ts';
import { WebApi } from './web-api.ts';

let server: TestServer;
let web: WebApi;
let socketPath: string;
const journal: string[] = [];
const note = (message: string) => void journal.push(message);

before(async () => {
  server = await startServer({ subnet: loopbackNet(), lines: true });
  socketPath = join(server.folder, 'web.sock');
  const { services, logs, nodes } = server;
  web = new WebApi({
    config: {
      http: { address: '127.0.0.1', port: 0 },
      network: server.platform.deps.config.network,
    },
    paths: { webSocket: socketPath },
    limits: defaultLimits().clients,
    nodes: services.calls.node,
    images: services.calls.image,
    ...{ lines: services.logs, logs, boots: nodes.store.boots.figures, bridge: 'lo' },
    status: async () => serverStatus('/x'),
    log: { info: note, warn: note, error: note },
  });
  await web.listen();
  await server.addImage('alice/debian');
  await server.addImage('bob/x');
  await server.addNode('n1');
  await server.addNode('n2', 'bob/x', 'physical');
});
after(async () => {
  await web.close();
  await server[Symbol.asyncDispose]();
});

async function ask(path: string, method = 'GET', headers = {}): Promise<IncomingMessage> {
  const sent = request({ socketPath, path, method, headers: { host: '127.0.0.1:80', ...headers } });
  sent.end();
  const [response] = await once(sent, 'response');
  return response;
}

async function data(path: string) {
  const response = await ask(path);
  const body = await text(response);
  assert.equal(response.statusCode, 200, body);
  assert.equal(response.headers['content-type'], 'application/json');
  return JSON.parse(body);
}

describe('/api/v1/nodes', () => {
  test('has the keys that WalT documents', async () => {
    const { num_nodes: count, nodes } = await data('/api/v1/nodes');
    assert.equal(count, 2);
    const [{ config, ip, mac, ...rest }] = nodes;
    assert.deepEqual(rest, {
      ...{ name: 'n1', model: 'pc-x86-64', virtual: true, image: 'alice/debian', booted: true },
    });
    assert.match(ip, /^127\./);
    assert.match(mac, /^[0-9a-f:]{17}$/);
    assert.equal(config['cpu.cores'] ?? config['boot.retries'], config['cpu.cores'] ?? '9');
  });

  const selections: [query: string, names: string[]][] = [
    ['name=n2', ['n2']],
    ['virtual=true', ['n1']],
    ['booted=true&model=pc-x86-64', ['n1']],
    ['image=bob/x&virtual=false', ['n2']],
    ['name=nobody', []],
    ["name='%20or%201=1", []],
  ];
  for (const [query, names] of selections) {
    test(`?${query}`, async () => {
      const { num_nodes: count, nodes } = await data(`/api/v1/nodes?${query}`);
      assert.deepEqual(
        nodes.map(({ name }: { name: string }) => name),
        names,
      );
      assert.equal(count, names.length);
    });
  }
});

describe('/api/v1/images', () => {
  test('has the keys that WalT documents', async () => {
    const { num_images: count, images } = await data('/api/v1/images?user=alice&in_use=true&refresh=true');
    assert.equal(count, 1);
    const [{ id, created, compatibility, ...rest }] = images;
    assert.deepEqual(rest, { fullname: 'alice/debian', user: 'alice', in_use: true });
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.match(created, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    assert.ok(compatibility.includes('pc-x86-64'));
    assert.equal((await data(`/api/v1/images?id=${id}`)).images[0].id, id);
    assert.equal((await data('/api/v1/images?fullname=alice/nothing')).num_images, 0);
  });
});

describe('/api/v1/logs', () => {
  /** Microseconds: no number of JavaScript has so many digits in seconds. */
  const at = (Math.floor(Date.now() / 1000) - 60) * 1e6 + 123_457;
  const seconds = at / 1e6;
  const range = `from=${seconds - 1}&to=${seconds + 1}`;

  before(async () => {
    const line = (number: number, stream: string, words: string) => {
      return { stream, time: at + number, text: Buffer.from(words).toString('base64') };
    };
    const [{ ip = '' } = {}] = await server.nodes.store.all();
    const lines = [
      line(1, 'app', 'one "x"'),
      line(2, 'app.more', 'two \x1b[31m'),
      line(3, 'netconsole', 'é'),
    ];
    await server.logs.import({ issuer: ip, lines });
    await server.logs.import({ issuer: 'walt-server', lines: [line(4, 'platform.nodes', 'up')] });
  });

  const told = (answer: { logs: { issuer: string; stream: string; line: string }[] }) =>
    answer.logs.map(({ issuer, stream, line }) => `${issuer}.${stream} ${line}`);
  const all = [
    'n1.app one "x"',
    'n1.app.more two \x1b[31m',
    'n1.netconsole é',
    'walt-server.platform.nodes up',
  ];

  test('has the keys that WalT documents, times to the microsecond', async () => {
    const response = await ask(`/api/v1/logs?${range}`);
    const body = await text(response);
    assert.equal(response.statusCode, 200, body);
    const answer = JSON.parse(body);
    assert.equal(answer.num_logs, 4);
    assert.deepEqual(told(answer), all);
    assert.deepEqual(Object.keys(answer.logs[0]).sort(), ['issuer', 'line', 'stream', 'timestamp']);
    assert.ok(body.includes(`"timestamp":${String(at + 1).slice(0, -6)}.123458,`), body);
  });

  const selections: [query: string, lines: string[]][] = [
    [`${range}&issuer=n1`, all.slice(0, 3)],
    [`${range}&issuer=walt-server`, all.slice(3)],
    [`${range}&issuer=server`, all.slice(3)],
    [`${range}&stream=app`, all.slice(0, 1)],
    [`${range}&stream=app.*&issuer=n1`, all.slice(0, 2)],
    [`${range}&stream=app|netconsole`, [all[0] ?? '', all[2] ?? '']],
    [`from=${seconds - 20}&to=${seconds - 10}`, []],
  ];
  for (const [query, lines] of selections) {
    test(query.replace(range, '…'), async () => {
      assert.deepEqual(told(await data(`/api/v1/logs?${query}`)), lines);
    });
  }

  test('milliseconds, both ways', async () => {
    const ms = `from=${seconds * 1000 - 1000}&to=${seconds * 1000 + 1000}&ts_unit=ms`;
    const answer = await data(`/api/v1/logs?${ms}&stream=app`);
    assert.deepEqual(told(answer), all.slice(0, 1));
    assert.equal(answer.logs[0].timestamp, (at + 1) / 1000);
  });
});

describe('what is wrong', () => {
  const refused: [path: string, status: number, told: RegExp][] = [
    ['/', 404, /Nothing is there/],
    ['/api/v1/../../etc/passwd', 404, /Nothing is there/],
    ['/api/v1/nodes?config=1', 400, /no parameter \\"config\\"/],
    ['/api/v1/nodes?booted=maybe', 400, /booted is true or false/],
    ['/api/v1/images?in_use=1', 400, /in_use is true or false/],
    ['/api/v1/images?refresh=no', 400, /refresh is true or false/],
    ['/api/v1/logs', 400, /The parameter from is missing/],
    ['/api/v1/logs?from=1727090181', 400, /The parameter to is missing/],
    ['/api/v1/logs?from=1&to=1727090181', 400, /from=1 is no time between 2012 and now, in seconds/],
    ['/api/v1/logs?from=1727090181000&to=1727090181000', 400, /is no time/],
    ['/api/v1/logs?from=1727090181&to=1727090180', 400, /later than to/],
    ['/api/v1/logs?from=-1&to=1e9', 400, /is no time/],
    ['/api/v1/logs?from=1727090181&to=1727090182&ts_unit=us', 400, /ts_unit is s or ms/],
    ['/api/v1/logs?from=1727090181&to=1727090182&stream=(', 400, /is no regular expression/],
    ['/api/v1/logs?from=1727090181&to=1727090182&issuer=nobody', 404, /nobody/],
    ["/api/v1/logs?from=1727090181&to=1727090182&issuer=';drop", 400, /issuer is no name/],
    ['/api/v1/logs?from=1727090181&to=1727090182&issuer=all-nodes%20owner=', 400, /issuer is no name/],
    [`/api/v1/logs?from=1727090181&to=1727090182&stream=${'a'.repeat(1001)}`, 400, /too long/],
  ];
  for (const [path, status, words] of refused) {
    test(path.slice(0, 80), async () => {
      const response = await ask(path);
      const body = await text(response);
      assert.equal(response.statusCode, status, body);
      assert.match(body, words);
      assert.ok(JSON.parse(body).hint);
    });
  }

  test('nothing can be changed', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const response = await ask('/api/v1/nodes', method);
      assert.equal(response.statusCode, 405);
      assert.equal(response.headers.allow, 'GET');
      response.resume();
    }
  });

  test('a page whose name means this machine reads nothing', async () => {
    for (const [host, status] of [
      ['evil.example:80', 403],
      ['localhost:80', 200],
      ['[::1]:80', 200],
    ] as const) {
      const response = await ask('/api/v1/nodes', 'GET', { host });
      assert.equal(response.statusCode, status, host);
      response.resume();
    }
  });

  test('what is no request ends its connection, and no other', async () => {
    const pieces = [
      '\0\x01\x02',
      'GET / HTTP/1.1\r\n'.repeat(3),
      `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
    ];
    for (const piece of pieces) {
      const socket = connect(socketPath);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      // It is cut off while it writes, or behind that.
      socket.on('error', () => {});
      socket.resume();
      socket.end(piece);
      await closed;
    }
    assert.equal((await data('/api/v1/nodes')).num_nodes, 2);
    assert.deepEqual(
      journal.filter((line) => /failed/.test(line)),
      [],
    );
  });
});

describe('/metrics', () => {
  /** Prometheus, exposition formats. */
  const SAMPLE =
    /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$/;

  test('is text as Prometheus reads it', async () => {
    const response = await ask('/metrics');
    const body = await text(response);
    assert.equal(response.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    assert.ok(body.endsWith('\n'));
    const types = new Map<string, string>();
    const seen = new Set<string>();
    let current = '';
    for (const line of body.trimEnd().split('\n')) {
      const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
      if (kind === 'HELP') {
        assert.ok(!types.has(name), `${name} comes once, as one group`);
        current = name;
      } else if (kind === 'TYPE') {
        assert.equal(name, current, 'the type stands behind its help');
        assert.match(rest, /^(gauge|counter|summary)$/);
        types.set(name, rest);
      } else {
        const [, sample = '', labels = '', value] = SAMPLE.exec(line) ?? assert.fail(line);
        const base = types.get(current) === 'summary' ? sample.replace(/_(sum|count)$/, '') : sample;
        assert.equal(base, current, 'samples stand behind their type');
        assert.ok(Number.isFinite(Number(value)), line);
        if (types.get(current) === 'counter') assert.match(sample, /_total$/);
        assert.ok(!seen.has(`${sample}{${labels}}`), 'each sample comes once');
        seen.add(`${sample}{${labels}}`);
      }
    }
    const value = (sample: string) =>
      Number(
        body
          .split('\n')
          .find((line) => line.startsWith(`${sample} `))
          ?.split(' ')
          .at(-1),
      );
    assert.equal(value('walt_nodes{state="booted"}'), 1);
    assert.equal(value('walt_nodes{state="off"}'), 1);
    assert.equal(value('walt_boot_seconds_count'), 1);
    assert.ok(value('walt_boot_seconds_sum') >= 0);
    assert.ok(value('walt_log_lines_total') >= 4);
    assert.equal(value('walt_program_up{program="dnsmasq"}'), 1);
    assert.ok(value('walt_network_sent_bytes_total') > 0);
    assert.ok(value('walt_logs_memory_bytes') > 1_000_000);
  });
});
