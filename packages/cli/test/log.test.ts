/** Lines of logs: read, waited for, named moments. Nodes are played by connections from their addresses. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { loopbackNet } from '../../server/test/network.ts';
import { openClient } from './client.ts';

const net = loopbackNet();
const { server, checkout } = await openClient({ subnet: net, lines: true });
const ips = new Map<string, string>();

before(async () => {
  await server.addImage('alice/debian');
  for (const name of ['n1', 'n2']) await server.addNode(name);
  for (const { name, ip } of await server.nodes.store.all()) ips.set(name, ip);
  await log('n1', 'app', 'one', 'ready \x1b[31m', 'three "x",');
  await log('n2', 'app', 'ready');
  await log('n2', 'other', 'else');
});

let spools = 0;
let stamp = 0;
const began = Math.floor(Date.now() / 1000) - 100;

/** A node's sender: each line a millisecond after the one before. */
async function log(node: string, stream: string, ...lines: string[]): Promise<void> {
  const records = lines.map((line) => {
    stamp += 1;
    return `@${(began + stamp / 1000).toFixed(6)} ${stream} ${line}\n`;
  });
  spools += 1;
  assert.deepEqual(await send(ips.get(node) ?? '', `boot.${spools}`, 0, Buffer.from(records.join(''))), {
    status: 200,
    answer: `${records.join('').length}\n`,
  });
}

function send(localAddress: string, spool: string, from: number, body: Buffer, clock = Date.now() / 1000) {
  return new Promise<{ status: number | undefined; answer: string }>((resolve, reject) => {
    const sent = request({
      ...{ host: '127.0.0.1', port: server.logPort, localAddress, method: 'POST' },
      path: `/node/log?spool=${spool}&from=${from}`,
      headers: { 'x-walt-clock': clock.toFixed(6), 'content-length': body.length },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      text(response).then((answer) => resolve({ status: response.statusCode, answer }), reject);
    });
    sent.end(body);
  });
}

const SHORT = ['--format', '{issuer}.{stream} {line}'];
const ALL = ['n1.app one', 'n1.app ready \x1b[31m', 'n1.app three "x",', 'n2.app ready', 'n2.other else'];

describe('walt log show', () => {
  const shows: [args: string[], lines: string[]][] = [
    [[], ALL],
    [['--history', 'full'], ALL],
    [['ready'], [ALL[1] ?? '', ALL[3] ?? '']],
    [['--issuers', 'n2'], ALL.slice(3)],
    [['--streams', '^oth'], ALL.slice(4)],
    [['-n', '2'], ALL.slice(3)],
    [['--history', '-10s:'], []],
    [['--history', ':-10s', '--issuers', 'all-nodes'], ALL],
    [['--issuers', 'all-devices', '--streams', '^(app|other)$'], ALL],
    [['--emitters', 'n2'], ALL.slice(3)],
    [['--nodes', 'n2'], ALL.slice(3)],
  ];
  for (const [args, lines] of shows) {
    test(`tells what was asked for: ${args.join(' ')}`, async () => {
      const { status, stdout, stderr } = await checkout.run(['log', 'show', ...args, ...SHORT]);
      assert.equal(status, 0, stderr);
      assert.deepEqual(stdout.split('\n').slice(0, -1), lines);
    });
  }

  test('prints time, issuer, stream and line', async () => {
    const { stdout } = await checkout.run(['log', 'show', '-n', '1']);
    assert.match(stdout, /^\d\d:\d\d:\d\d\.\d{6} n2\.other -> else\n$/);
  });

  test('says so where no line is like that', async () => {
    const { status, stdout, stderr } = await checkout.run(['log', 'show', 'nowhere']);
    assert.deepEqual([status, stdout], [0, '']);
    assert.match(stderr, /^No such line was logged\. .*: walt log show\n$/);
  });

  test('prints data', async () => {
    const { stdout } = await checkout.run(['log', 'show', 'three', '--json']);
    const { timestamp, ...rest } = JSON.parse(stdout);
    assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.deepEqual(rest, { issuer: 'n1', stream: 'app', line: 'three "x",' });
    const csv = await checkout.run(['log', 'show', 'three', '--csv']);
    assert.match(csv.stdout, /^timestamp,issuer,stream,line\n[^,]+,n1,app,"three ""x"","\n$/);
  });

  test('a range goes through the pager on a terminal, and ends when that is left', async () => {
    const args = ['log', 'show', '--issuers', 'n1,n2', '--streams', '^(app|other)$', ...SHORT];
    using own = checkout.terminal([...args, '--history', 'full'], {
      env: { PAGER: 'tr a-z A-Z', NO_COLOR: '1' },
    });
    await own.expect(/N2\.OTHER ELSE/);
    assert.equal(await own.exited, 0);
    using left = checkout.terminal([...args, '--history', 'full'], { env: { PAGER: 'head -n 1' } });
    await left.expect(/one/);
    assert.equal(await left.exited, 0);
    using last = checkout.terminal(args, { env: { PAGER: 'tr a-z A-Z', NO_COLOR: '1' } });
    await last.expect(/n2\.other else/);
    assert.equal(await last.exited, 0);
  });

  test('a line steers no terminal', async () => {
    using terminal = checkout.terminal(['log', 'show', 'ready', '--issuers', 'n1', ...SHORT]);
    await terminal.expect(/ready \\x1b\[31m/);
    assert.equal(await terminal.exited, 0);
  });

  test('tells lines as they come', async () => {
    using terminal = checkout.terminal(['log', 'show', 'comes', '--realtime', ...SHORT]);
    // The first line may come before the reader: then it is of the past.
    let seen = false;
    const shown = terminal.expect(/n2\S*\.live comes \d+/).then(() => {
      seen = true;
    });
    for (let at = 0; !seen; at += 1) await log('n2', 'live', `comes ${at}`);
    await shown;
    terminal.type('\x03');
    await terminal.exited;
  });

  const refused: [args: string[], told: RegExp][] = [
    [['('], /"\(" is no regular expression/],
    [['--streams', '[a'], /"\[a" is no regular expression/],
    [['--issuers', 'nobody'], /nobody/],
    [['--history', 'nowhere:'], /"nowhere" is no moment/],
    [['--history', '5'], /"5" is no range/],
    [['--format', '{x}'], /no field "x"/],
    [['--emitters', 'n1', '--issuers', 'n2'], /cannot be used with/],
    [['--server', '--platform'], /cannot be used with/],
  ];
  for (const [args, told] of refused) {
    test(`refuses ${args.join(' ')}`, async () => {
      const { status, stderr } = await checkout.run(['log', 'show', ...args]);
      assert.notEqual(status, 0);
      assert.match(stderr, told);
      assert.match(stderr, /→/);
    });
  }
});

describe('walt log wait', () => {
  test('ends with the first line that matches', async () => {
    const { status, stdout } = await checkout.run([
      'log',
      'wait',
      'ready',
      '--time-margin',
      '3600',
      ...SHORT,
    ]);
    assert.equal(status, 0);
    assert.equal(stdout, `${ALL[1]}\n`);
  });

  test('waits for each node', async () => {
    const args = ['log', 'wait', 'ready', '--mode', 'ALL', '--issuers', 'n1,n2', '--time-margin', '3600'];
    const { stdout } = await checkout.run([...args, ...SHORT]);
    assert.equal(stdout, `${ALL[1]}\n${ALL[3]}\n`);
  });

  test('waits for each device, and for the platform', async () => {
    const ip = net.replace(/0\/24$/, '200');
    server.neighbours.ask('b8:27:eb:12:34:56', {}, ip);
    await server.devices.look();
    const set = ['--mode', 'ALL', '--issuers', 'n1,unknown-b827eb123456,server', '--time-margin', '3600'];
    const wait = async (limit: string) =>
      await checkout.run(['log', 'wait', 'ready', ...set, '--timeout', limit]);
    const missing = await wait('10');
    assert.match(missing.stderr, /no such line came of unknown-b827eb123456, walt-server\./);
    assert.equal((await send(ip, 'device.1', 0, Buffer.from(`@${began} app is ready\n`))).status, 200);
    server.logs.tell('platform.nodes', 'all is ready');
    const all = await wait('60');
    assert.deepEqual([all.status, all.stdout.split('\n').length], [0, 4], all.stderr);
    await server.logs.keep([...ips.values()]);
  });

  test('gives up, and names who did not log it', async () => {
    const args = ['log', 'wait', 'else', '--mode', 'ALL', '--issuers', 'n1,n2', '--time-margin', '3600'];
    // Time enough for what is there to be told.
    const { status, stderr } = await checkout.run([...args, '--timeout', '10']);
    assert.equal(status, 1);
    assert.match(stderr, /Timeout was reached: no such line came of n1\./);
  });
});

describe('checkpoints', () => {
  test('name moments, for ranges', async () => {
    const made = await checkout.run(['log', 'add-checkpoint', 'now']);
    assert.match(made.stdout, /^Checkpoint now is at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\.\n$/);
    await checkout.run(['log', 'add-checkpoint', '24', '--date', '-1h']);
    const list = JSON.parse((await checkout.run(['log', 'list-checkpoints', '--json'])).stdout);
    assert.deepEqual(
      list.map(({ name }: { name: string }) => name),
      ['24', 'now'],
    );
    const args = ['log', 'show', '--streams', '^(app|other)$', ...SHORT];
    const between = await checkout.run([...args, '--history', '24:now']);
    assert.equal(between.stdout, `${ALL.join('\n')}\n`);
    assert.equal((await checkout.run([...args, '--history', 'now:'])).stdout, '');
    const again = await checkout.run(['log', 'add-checkpoint', 'now']);
    assert.match(again.stderr, /You have a checkpoint now already/);
    assert.match(
      (await checkout.run(['log', 'remove-checkpoint', 'now'])).stdout,
      /^Checkpoint now is removed/,
    );
    const gone = await checkout.run(['log', 'remove-checkpoint', 'now']);
    assert.match(gone.stderr, /You have no checkpoint now/);
    assert.match((await checkout.run(['log', 'add-checkpoint', '-x'])).stderr, /./);
  });
});

describe('lines in files', () => {
  const file = join(checkout.home, 'lines.jsonl');
  const everything = ['log', 'export', '--issuers', 'all-nodes,server', '--streams', '^(app|other|odd)$'];
  const write = (lines: readonly (object | string)[]) =>
    writeFileSync(
      file,
      lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
    );
  const line = { timestamp: new Date().toISOString(), issuer: 'n1', stream: 'bad', line: 'x' };

  test('go to another platform whose nodes have these names, and are the same there', async () => {
    // The same time in two streams, a text that is no UTF-8, steering, and one as long as a line may be.
    const odd = `@${began + 50} odd \xff\xfe\x1b[31m\n`;
    const same = `@${began + 50} app \u202eat the same time\n@${began + 50} app and again\n@${began + 50} app and again\n`;
    const long = `@${began + 51} odd ${'é'.repeat(32_768)}\n`;
    const body = Buffer.concat([Buffer.from(odd, 'latin1'), Buffer.from(same + long)]);
    assert.equal((await send(ips.get('n2') ?? '', 'odd.1', 0, body)).status, 200);
    const written = await checkout.run([...everything, '--output', file]);
    assert.match(written.stderr, /^10 lines are in /m);
    const before = readFileSync(file, 'utf8');
    assert.equal((await checkout.run(everything)).stdout, before);
    assert.match(before, /"base64":"\/\/4bWzMxbQ=="/);
    assert.ok(!before.includes('\u202e'));

    // Here all of them are, each as often as the file has it.
    const here = await checkout.run(['log', 'import', file]);
    assert.equal(here.stdout, '0 lines imported.\n10 lines had been there before.\n', here.stderr);
    assert.equal((await checkout.run(everything)).stdout, before);

    const other = await openClient({ subnet: loopbackNet(), lines: true });
    await other.server.addImage('alice/debian');
    // Their addresses are others.
    for (const name of ['n2', 'n1']) await other.server.addNode(name);
    // A part of it, as of an import that broke off.
    const part = join(checkout.home, 'part.jsonl');
    writeFileSync(
      part,
      before
        .split(/(?<=\n)/)
        .slice(0, 7)
        .join(''),
    );
    const first = await other.checkout.run(['log', 'import', part]);
    assert.equal(first.stdout, '7 lines imported.\n', first.stderr);
    const rest = await other.checkout.run(['log', 'import', file]);
    assert.equal(rest.stdout, '3 lines imported.\n7 lines had been there before.\n', rest.stderr);
    assert.equal((await other.checkout.run(everything)).stdout, before);

    // A table has the same.
    const table = await openClient({ subnet: loopbackNet(), lines: true });
    await table.server.addImage('alice/debian');
    for (const name of ['n1', 'n2']) await table.server.addNode(name);
    const csv = join(checkout.home, 'lines.csv');
    await checkout.run([...everything, '--csv', '--output', csv]);
    const taken = await table.checkout.run(['log', 'import', csv]);
    assert.equal(taken.stdout, '10 lines imported.\n', taken.stderr);
    assert.equal((await table.checkout.run(everything)).stdout, before);

    const again = await other.checkout.run(['log', 'import', file, '--json']);
    assert.deepEqual(JSON.parse(again.stdout), { stored: 0, known: 10, expired: 0 });
    assert.equal((await other.checkout.run(everything)).stdout, before);
    const told = [
      'log',
      'wait',
      'alice imported lines: 3 stored, 7 known',
      '--platform',
      '--time-margin',
      '60',
    ];
    assert.equal((await other.checkout.run([...told, '--timeout', '60'])).status, 0);
  });

  test('are left out where they would not stay', async () => {
    write([
      { ...line, timestamp: '2001-01-01T00:00:00Z' },
      { ...line, stream: 'fresh' },
    ]);
    const { stdout } = await checkout.run(['log', 'import', file]);
    assert.equal(
      stdout,
      '1 line imported.\n1 line left out: older than logs.keep-days, they would not stay.\n',
    );
    assert.equal((await checkout.run(['log', 'show', '--streams', '^bad$', ...SHORT])).stdout, '');
    assert.equal(
      (await checkout.run(['log', 'show', '--streams', '^fresh$', ...SHORT])).stdout,
      'n1.fresh x\n',
    );
  });

  const hostile: [what: string, lines: (object | string)[], told: RegExp][] = [
    ['no JSON', [line, 'L 1 2'], /Line 2 of the file cannot be imported: it is no JSON/],
    [
      '10 MB',
      [line, line, `"${'x'.repeat(10_000_000)}"`],
      /Line 3 of the file cannot be imported: it has more than 394240 bytes/,
    ],
  ];
  for (const [what, lines, told] of hostile) {
    test(`with ${what}: nothing is taken`, async () => {
      write(lines);
      const { status, stderr } = await checkout.run(['log', 'import', file]);
      assert.equal(status, 1);
      assert.match(stderr, told);
      assert.match(stderr, /→ Nothing was imported\. /);
      assert.equal((await checkout.run(['log', 'show', '--streams', '^bad$'])).stdout, '');
    });
  }

  test('a file that cannot be read or written is named', async () => {
    assert.match(
      (await checkout.run(['log', 'import', '/nowhere/x'])).stderr,
      /Cannot read \/nowhere\/x: .*\.\n {2}→/,
    );
    const { stderr } = await checkout.run(['log', 'export', '--output', '/nowhere/x']);
    assert.match(stderr, /Cannot write to \/nowhere\/x: .*\.\n {2}→/);
  });
});

describe('what nodes send', () => {
  after(async () => server.logs.keep([...ips.values()]));

  test('is stored once, however often it comes', async () => {
    const ip = ips.get('n1') ?? '';
    const body = Buffer.from('@1790000000.1 once a\n@1790000000.2 once b\n@1790000000.3 once');
    const whole = body.lastIndexOf('\n') + 1;
    for (const from of [0, 0]) assert.equal((await send(ip, 'x.1', from, body)).answer, `${whole}\n`);
    assert.equal((await send(ip, 'x.1', 0, body.subarray(0, 5))).answer, `${whole}\n`);
    const rest = Buffer.from('@1790000000.3 once c\n');
    assert.equal((await send(ip, 'x.1', whole, rest)).answer, `${whole + rest.length}\n`);
    const { stdout } = await checkout.run(['log', 'show', '--streams', '^once$', '--format', '{line}']);
    assert.equal(stdout, 'a\nb\nc\n');
  });

  test('has the time of the server, where it has none of its own', async () => {
    const ip = ips.get('n1') ?? '';
    const clock = 1000;
    await send(ip, 'x.2', 0, Buffer.from('990.5 clocks late\n@1.0 clocks old\n'), clock);
    const { stdout } = await checkout.run(['log', 'show', '--streams', '^clocks$', '--json']);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const late = Date.now() - new Date(lines.find(({ line }) => line === 'late').timestamp).getTime();
    const old = Date.now() - new Date(lines.find(({ line }) => line === 'old').timestamp).getTime();
    assert.ok(late > 9_400 && late < 120_000, `${late} ms`);
    assert.ok(old < 110_000, 'a time that no clock can have is that of its arrival');
  });

  const wrong: [what: string, path: [spool: string, from: number], body: string, status: number][] = [
    ['a spool that is none', ['a b', 0], '', 400],
    ['too much', ['a.1', 0], 'x'.repeat(300_000), 413],
  ];
  for (const [what, [spool, from], body, status] of wrong) {
    test(`${what} is refused`, async () => {
      const sent = send(ips.get('n1') ?? '', encodeURIComponent(spool), from, Buffer.from(body));
      assert.equal((await sent).status, status);
    });
  }

  test('who is no node is refused; what is no record is kept where its reader finds it', async () => {
    await send(ips.get('n1') ?? '', 'x.3', 0, Buffer.from('nonsense\n\n1 2\n@1790000000.1 a;b c\n'));
    const { stdout } = await checkout.run(['log', 'show', '--streams', '^walt-log$', '--format', '{line}']);
    assert.deepEqual(stdout.split('\n'), ['nonsense', '1 2', '@1790000000.1 a;b c', '']);
  });

  test('goes with its node', async () => {
    await server.logs.keep([ips.get('n2') ?? '']);
    const { stdout } = await checkout.run(['log', 'show', '--issuers', 'all-nodes', '--json']);
    assert.ok(stdout.includes('"n2"'));
    assert.ok(!stdout.includes('"n1"'));
  });
});

describe("the platform's own lines", () => {
  const wait = ['--time-margin', '60', '--timeout', '60', ...SHORT];

  test('tell what happened to nodes, devices and images', async () => {
    server.logs.tell('platform.nodes', 'n1 is up\nand more');
    const { stdout, stderr } = await checkout.run(['log', 'wait', 'n1 is up', '--platform', ...wait]);
    assert.equal(stdout, 'walt-server.platform.nodes n1 is up and more\n', stderr);
  });

  test('tell all the rest', async () => {
    server.logs.tell('daemon.network', 'n1 has a cable');
    const { stdout, stderr } = await checkout.run(['log', 'wait', 'n1', '--server', ...wait]);
    assert.equal(stdout, 'walt-server.daemon.network n1 has a cable\n', stderr);
  });
});

test('who did what is told by walt advanced audit, and who only looked is not', async () => {
  await checkout.run(['image', 'show', '--all']);
  assert.equal((await checkout.run(['image', 'duplicate', 'debian', 'copy1'])).status, 0);
  assert.equal((await checkout.run(['image', 'rename', 'none.such', 'other'])).status, 1);
  const waited = ['log', 'wait', 'none\\.such', '--issuers', 'server', '--time-margin', '3600'];
  assert.equal((await checkout.run(waited)).status, 0);
  const { stdout } = await checkout.run(['advanced', 'audit', '--user', 'alice', '--history', 'full']);
  const deeds = stdout
    .split('\n')
    .map((line) => line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /, '').replace(/from="[^"]+"/, 'from=FROM'));
  assert.ok(
    deeds.includes('alice image.duplicate image="debian" newName="copy1" from=FROM result="done"'),
    stdout,
  );
  assert.ok(
    deeds.includes('alice image.rename image="none.such" newName="other" from=FROM result="NOT_FOUND"'),
    stdout,
  );
  assert.doesNotMatch(stdout, /image\.list|challenge/);
  const others = await checkout.run(['advanced', 'audit', '--user', 'ali', '--history', 'full']);
  assert.deepEqual([others.status, others.stdout], [0, '']);
  const [last = ''] = (await checkout.run(['advanced', 'audit', '-n', '1', '--json'])).stdout.split('\n');
  const { timestamp, from, ...deed } = JSON.parse(last);
  assert.match(timestamp, /^\d{4}-/);
  // The tests may run in an SSH session themselves.
  assert.match(from, /^(local|[0-9a-f.:]+)$/);
  assert.deepEqual(deed, {
    ...{ user: 'alice', deed: 'image.rename', result: 'NOT_FOUND' },
    about: { image: 'none.such', newName: 'other' },
  });
});
