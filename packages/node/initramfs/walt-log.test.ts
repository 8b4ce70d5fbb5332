import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import { LogNode, LogServer, type Mood } from './log-node.fixture.ts';

const USER = 65534;

let server: LogServer;
let node: LogNode;

beforeEach(async () => {
  server = new LogServer();
  node = new LogNode({ answerLimit: 2 });
  await node.start(await server.listen());
});
afterEach(async () => {
  await node[Symbol.asyncDispose]();
  await server.close();
  assert.deepEqual(server.wrong, [], 'the node keeps to the protocol');
});

const limit = { timeout: 240_000 };

test('lines arrive as they were logged, with the time of the node', limit, async () => {
  const before = Date.now() / 1000;
  const script = `
    walt-log-echo a "one  line"
    walt-log-echo --ts-server a.b/c:d+e@f-g ""
    walt-log-echo --ts-local b "two
lines"
    walt-log-echo --ts-provided 1790000000.25 c words of 'it'
    walt-log-echo --timestamp 7 d -n
    printf 'first\\n\\nlast' | walt-log-cat e
    printf '1790000000.1234567 x\\n8 y\\nno time\\n9' | walt-log-cat --ts-provided f
    printf 'g\\n' | walt-log-cat --ts-local g
    printf 'seen\\nand logged' | walt-log-tee h
    printf '%s\\n' '1790000000.5 a[1]: b' '   more of it' '1790000001.5 c' | walt-log-cat --journal journal
    walt-echo i old; echo old | walt-cat j; echo old | walt-tee k
    walt-log-echo end end`;
  const { status, stdout, stderr } = await node.run(script);
  assert.deepEqual([status, stdout, stderr], [0, 'seen\nand loggedold\n', '']);
  await server.until(() => server.of('end').length > 0);
  const after = Date.now() / 1000;
  const shown = server.lines().map(({ time, stream, text }) => {
    const seconds = Number(time.replace('@', ''));
    const isNow = seconds >= before - 0.01 && seconds <= after;
    return `${isNow ? (time.startsWith('@') ? '@now' : 'now') : time} ${stream} ${text}`;
  });
  assert.deepEqual(shown, [
    'now a one  line',
    'now a.b/c:d+e@f-g ',
    '@now b two',
    '@now b lines',
    '@1790000000.250000 c words of it',
    '@7.000000 d -n',
    ...['now e first', 'now e ', 'now e last'],
    ...['@1790000000.123456 f x', '@8.000000 f y', '@now f no time', '@9.000000 f '],
    '@now g g',
    ...['now h seen', 'now h and logged'],
    ...['1790000000.500000 journal a[1]: b', '1790000000.500000 journal    more of it'],
    '1790000001.500000 journal c',
    ...['now i old', 'now j old', 'now k old'],
    'now end end',
  ]);
});

test('wrong use is told, and logs nothing', limit, async () => {
  const long = 'x'.repeat(129);
  const wrong = [
    'walt-log-echo',
    'walt-log-echo stream',
    'walt-log-echo "a stream" x',
    'walt-log-echo "" x',
    `walt-log-echo ${long} x`,
    "walt-log-echo 'a\nb' x",
    'walt-log-echo --ts-provided yesterday a x',
    'walt-log-echo --ts-provided',
    'walt-log-echo --what a x',
    'walt-log-cat',
    'walt-log-cat a b',
    'walt-log-cat "a*"',
    'walt-log-cat --what a',
    'walt-log-tee',
    'walt-log-tee "$(printf "\\351")"',
    'walt-log-monitor',
    'walt-log-monitor --what',
  ];
  for (const command of wrong) {
    const { status, stdout, stderr } = await node.run(`${command} < /dev/null`);
    assert.equal(status, 2, command);
    assert.equal(stdout, '');
    assert.match(stderr, /^walt-log-(?:echo|cat|tee|monitor): .+\n$/, command);
  }
  await node.run(`walt-log-echo ${'y'.repeat(128)} last`);
  await server.until(() => server.lines().length > 0);
  assert.deepEqual(
    server.lines().map(({ text }) => text),
    ['last'],
  );
});

test('users without rights log, and can do nothing else to the spool', limit, async () => {
  const { status, stderr } = await node.run(
    `walt-log-echo a "$(id -u)"; id -u | walt-log-cat a
     cd /dev/walt-log; rm -f bell spool/current; mv asleep x; echo > spool/mine; cat batch`,
    { user: USER },
  );
  assert.notEqual(status, 0);
  assert.match(stderr, /Permission denied/);
  await server.until(() => server.of('a').length === 2);
  assert.deepEqual(server.of('a'), [String(USER), String(USER)]);
  assert.equal(
    (await node.run('cd /dev/walt-log && test -p bell && test -e asleep && test ! -e spool/mine')).status,
    0,
  );
});

test('no byte but the newline ends a line, except NUL; long lines come in pieces', limit, async () => {
  const every = Buffer.from(
    Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10 && byte !== 0),
  );
  await node.run('walt-log-cat bytes', { input: Buffer.concat([every, Buffer.from('\n')]) });
  await node.run('walt-log-cat nul', { input: 'a\0b\n' });
  for (const length of [4000, 5000, 65_536, 65_537, 1_000_000])
    await node.run('walt-log-cat long', { input: `${'x'.repeat(length)}\n`, user: USER });
  await node.run(`walt-log-echo long "$(head -c 70000 /dev/zero | tr '\\0' y)"`);
  await server.until(() => server.of('long').at(-1) === 'y'.repeat(4464));
  assert.deepEqual(server.of('bytes'), [every.toString('latin1')]);
  assert.deepEqual(server.of('nul'), ['a', 'b']);
  assert.deepEqual(
    server.of('long').map((line) => line.length),
    [
      ...[4000, 5000, 65_536, 65_536, 1],
      ...Array.from({ length: 15 }, () => 65_536),
      ...[1_000_000 - 15 * 65_536, 65_536, 4464],
    ],
  );
});

test('nothing is lost and nothing comes twice, whatever server and network do', limit, async () => {
  // One after the other, again and again.
  const moods: Mood[] = [
    'ok',
    'half',
    'lost answer',
    'busy',
    'ok',
    'lost question',
    'half',
    'half',
    'silent',
  ];
  let asked = 0;
  server.mood = () => moods[asked++ % moods.length] ?? 'ok';
  const lines = { cat: 2000, echo: 60 };
  const writers = ['a', 'b', 'c'].flatMap((name) => [
    node.run(
      `awk 'BEGIN { for (i = 0; i < ${lines.cat}; i++) { l = i; if (i % 50 == 0) while (length(l) < 6000) l = l " and " l; print l } }' |
       walt-log-cat cat.${name}`,
    ),
    node.run(`i=0; while [ $i -lt ${lines.echo} ]; do walt-log-echo echo.${name} $i; i=$((i + 1)); done`, {
      user: USER,
    }),
  ]);
  while (server.lines().length < 100) await once(server, 'stored');
  await server.close();
  // It is asked again when it is back.
  await server.listen();
  await Promise.all(writers);
  await server.until(() => server.lines().length >= 3 * (lines.cat + lines.echo));
  for (const name of ['a', 'b', 'c']) {
    for (const [tool, count] of Object.entries(lines)) {
      const numbers = server.of(`${tool}.${name}`).map((text) => Number.parseInt(text, 10));
      assert.deepEqual(
        numbers,
        Array.from({ length: count }, (_, index) => index),
      );
    }
  }
  assert.equal(server.lines().length, 3 * (lines.cat + lines.echo));
});

test('a full spool drops lines, waits for nobody, and tells how many', limit, async () => {
  server.mood = () => 'busy';
  await node.run('mount -o remount,size=128k /dev/walt-log/spool');
  const count = 4000;
  await node.run(`seq ${count} | sed 's/$/ ${'x'.repeat(90)}/' | walt-log-cat many`, { user: USER });
  await node.run('walt-log-echo many too; walt-log-echo many late');
  server.mood = () => 'ok';
  const told = () =>
    server.of('walt-log').reduce((sum, text) => sum + Number(/^(\d+) lines were dropped/.exec(text)?.[1]), 0);
  await server.until(() => server.of('many').length + told() >= count + 2);
  assert.ok(told() > count / 2);
  await node.run('walt-log-echo many after');
  await server.until(() => server.of('many').at(-1) === 'after');
  const numbers = server.of('many').map((text) => Number.parseInt(text, 10));
  assert.equal(new Set(numbers.slice(0, -1)).size, numbers.length - 1);
  assert.equal(server.of('many').length + told(), count + 3);
});

test('a program that dies in the middle of a record spoils no other line', limit, async () => {
  await node.run(
    `printf '\\n1790000000.000000 dead ha' >> /dev/walt-log/spool/current; walt-log-echo next whole`,
  );
  await server.until(() => server.of('next').length > 0);
  assert.deepEqual(
    server.lines().map(({ stream, text }) => [stream, text]),
    [
      ['dead', 'ha'],
      ['next', 'whole'],
    ],
  );
  // Nobody comes after it.
  await node.run(
    `printf '\\n1790000000.000000 dead alone' >> /dev/walt-log/spool/current; echo 1<> /dev/walt-log/bell`,
  );
  await server.until(() => server.of('dead').length === 2);
  assert.deepEqual(server.of('dead'), ['ha', 'alone']);
  // Nor does what is no record at all.
  await node.run(
    `head -c 600000 /dev/zero | tr '\\0' x >> /dev/walt-log/spool/current; walt-log-echo next too`,
  );
  await server.until(() => server.of('next').length === 2);
});

test(
  'what is written to an old segment arrives; it goes when it is sent and nobody has it open',
  limit,
  async () => {
    const script = `
    exec 3>> /dev/walt-log/spool/current
    echo held >&2
    read -r _
    printf '\\n1790000000.000000 held late\\n' >&3
    exec 3>&-
    walt-log-echo x released
    read -r _`;
    const holder = node.spawn(script);
    await once(holder.stderr ?? holder, 'data');
    await node.run(
      `awk 'BEGIN { for (i = 0; i < 30000; i++) print i " ${'x'.repeat(90)}" }' | walt-log-cat many`,
    );
    await server.until(() => server.of('many').length === 30_000);
    // The next segment begins when this one was sent.
    for (let tick = 1; server.spools.size === 1; tick += 1) {
      await node.run('walt-log-echo tick tock');
      await server.until(() => server.of('tick').length === tick);
    }
    holder.stdin?.write('\n');
    await server.until(() => server.of('x').length === 1 && server.of('held').length === 1);
    // As many as are written to.
    for (;;) {
      await node.run('walt-log-echo x tick');
      const { stdout } = await node.run('ls /dev/walt-log/spool | wc -l');
      if (stdout.trim() === '2') break;
    }
    const exit = once(holder, 'close');
    holder.stdin?.end('\n');
    await exit;
  },
);

test('the sender sleeps when there is nothing, and is rung', limit, async () => {
  await node.run('walt-log-echo a 1');
  await server.until(() => server.of('a').length === 1);
  const script = `
    for p in /proc/[0-9]*; do read -r name < $p/comm; [ "$name" = walt-log-sender ] && break; done
    count() { grep -h ctxt_switches $p/status; }
    until before=$(count); sleep 1; [ "$(count)" = "$before" ]; do :; done
    test -s /dev/walt-log/asleep`;
  assert.equal((await node.run(script)).status, 0);
  await node.run('walt-log-echo a 2');
  await server.until(() => server.of('a').length === 2);
});

test('a command is monitored on a pseudo-terminal', limit, async () => {
  const { status, stdout } = await node.run(
    `walt-log-monitor sh -c 'test -t 0 && test -t 1 && tty; printf "tab\\there\\n"; echo "$1" >&2; exit 7' sh "it's  two"`,
    { user: USER },
  );
  assert.deepEqual([status, stdout], [7, "/dev/pts/0\r\ntab\there\r\nit's  two\r\n"]);
  const typed = await node.run('walt-log-monitor sh -c "cat; kill -PIPE \\$\\$"', { input: 'typed\n' });
  assert.deepEqual([typed.status, typed.stdout], [141, 'typed\r\n']);
  const streams = () => server.lines().filter(({ stream }) => /^sh\.\d+\.monitor$/.test(stream));
  await server.until(() => streams().length === 4);
  assert.deepEqual(
    streams().map(({ text }) => text),
    ['/dev/pts/0', 'tab\there', "it's  two", 'typed'],
  );
});

test('ctrl-c reaches a monitored command, and its status comes back', limit, async () => {
  const monitor = node.spawn('walt-log-monitor sh -c "echo begun; exec sleep 1000"');
  monitor.stdout?.once('data', () => monitor.stdin?.write('\x03'));
  const [status] = await once(monitor, 'exit');
  assert.equal(status, 130);
});

test(
  'what is typed at a terminal comes line by line; its size is told, and it is as before at the end',
  limit,
  async () => {
    const script = `stty rows 11 cols 22
    walt-log-monitor sh -c 'stty size; read a; echo first $a; read b; echo second $b; exit 9'
    echo status $?; stty -a | grep -o " icanon"; read c; echo third $c`;
    const shell = node.spawn(script, { terminal: true });
    let told = '';
    const see = async (text: string) => {
      while (!told.includes(text)) [told] = [told + (await once(shell.stdout ?? shell, 'data'))];
    };
    await see('11 22');
    for (const [typed, answer] of [
      ['x', 'first x'],
      ['y', 'second y'],
    ]) {
      shell.stdin?.write(`${typed}\n`);
      await see(answer ?? '');
    }
    await see('status 9');
    await see('icanon');
    shell.stdin?.write('z\n');
    await see('third z');
  },
);

test('nothing stays of a command that was monitored, whatever ends it', limit, async () => {
  const begun = 'until pidof sleep > /dev/null; do sleep 0.05; done';
  const ends = {
    'by itself, while its input is open': 'mkfifo /tmp/open; walt-log-monitor true 0<> /tmp/open',
    'when what monitors it is told to end': `walt-log-monitor sleep 1000 < /dev/null & ${begun}; kill $!`,
    'when that is killed': `walt-log-monitor sleep 1000 < /dev/null & ${begun}; kill -KILL $!`,
    // The one that ends the command is slowed here: a busy machine makes it as late.
    'when that is killed before it was heard whom to end': `
      sed 's/^  trap resize WINCH/  sleep 1; &/' /bin/walt-log-monitor > /tmp/walt-log-monitor
      grep -q 'sleep 1; ' /tmp/walt-log-monitor || echo not slowed
      chmod 755 /tmp/walt-log-monitor
      /tmp/walt-log-monitor sh -c 'touch /tmp/begun; exec sleep 1000' < /dev/null &
      until [ -e /tmp/begun ]; do sleep 0.05; done; kill -KILL $!`,
  };
  for (const [end, command] of Object.entries(ends)) {
    const { stdout } = await node.run(`${command}
      for try in $(seq 200); do
        left=$(ps -o stat,comm | grep -E '^[^Z]+ +(walt-log-(monito|cat)|telnetd|tee|cat|sleep)') || exit 0
        sleep 0.1
      done
      echo "$left"`);
    assert.equal(stdout, '', end);
  }
});

test('an image without a journal says so, where it is asked for', limit, async () => {
  const { status } = await node.run('/usr/lib/walt/bin/log-journal');
  await server.until(() => server.of('journal').length > 0);
  const told = server.of('journal');
  assert.deepEqual([status, told], [0, ['walt: this image has no journal']]);
});

test('where there is no spool, the tools say so', limit, async () => {
  await node.run('rm /dev/walt-log/bell');
  for (const command of ['walt-log-echo a b', 'walt-log-cat a', 'walt-log-tee a', 'walt-log-monitor true']) {
    const { status, stderr } = await node.run(`${command} < /dev/null`);
    assert.equal(status, 1, command);
    assert.match(stderr, /only a booted node/);
  }
});
