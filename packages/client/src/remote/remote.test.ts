import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AbortError } from '../errors.ts';
import { otherMajor, unknownCall } from '../versions.ts';
import { dialByCommand } from './command-stream.ts';
import { remoteWay } from './route.ts';
import { checkServerName, parseServers } from './servers.ts';
import { canForwardTo, masterArguments, parseSignIn, sshArguments, sshFailure } from './ssh.ts';
import { parseSshUrl } from './url.ts';

describe('where a server is', () => {
  const good: [
    text: string,
    url: string,
    user: string | undefined,
    host: string,
    port: number | undefined,
  ][] = [
    ['ssh://lab', 'ssh://lab', undefined, 'lab', undefined],
    ['ssh://ann@lab.example:2222', 'ssh://ann@lab.example:2222', 'ann', 'lab.example', 2222],
    ['ssh://ann@lab.example/', 'ssh://ann@lab.example', 'ann', 'lab.example', undefined],
    ['ssh://ann@corp.example@lab', 'ssh://ann@corp.example@lab', 'ann@corp.example', 'lab', undefined],
    ['ssh://[2001:db8::1]:22', 'ssh://[2001:db8::1]:22', undefined, '2001:db8::1', 22],
    ['ssh://ann@[fe80::1%eth0]', 'ssh://ann@[fe80::1%eth0]', 'ann', 'fe80::1%eth0', undefined],
    ['ssh://my_alias', 'ssh://my_alias', undefined, 'my_alias', undefined],
  ];
  for (const [text, url, user, host, port] of good) {
    test(text, () => assert.deepEqual(parseSshUrl(text), { url, user, host, port }));
  }

  const bad: [text: string, reason: RegExp][] = [
    ['', /must begin with ssh:\/\//],
    ['lab', /must begin with ssh:\/\//],
    ['http://lab', /must begin with ssh:\/\//],
    ['SSH://lab', /must begin with ssh:\/\//],
    ['ssh://', /"" is no name or address/],
    ['ssh://-oProxyCommand=touch x', /is no name or address/],
    ['ssh://-oProxyCommand=x', /is no name or address/],
    ['ssh://-lroot@lab', /"-lroot" is no login name/],
    ['ssh://@lab', /"" is no login name/],
    ['ssh://ann:secret@lab', /a password has no place/],
    ['ssh://lab/run/walt.sock', /without a path/],
    ['ssh://lab?x', /without a path/],
    ['ssh://lab#x', /without a path/],
    ['ssh://la b', /is no name or address/],
    ['ssh://lab\n', /is no name or address/],
    ['ssh://lab\nProxyCommand x', /is no name or address/],
    ['ssh://\x1b]0;x\x07lab', /is no name or address/],
    ['ssh://$(id)@lab', /is no login name/],
    ['ssh://lab;id', /is no name or address/],
    ['ssh://läb', /is no name or address/],
    ['ssh://lab:', /"" is no port/],
    ['ssh://lab:0', /"0" is no port/],
    ['ssh://lab:65536', /is no port/],
    ['ssh://lab:-1', /is no port/],
    ['ssh://lab:2 2', /is no port/],
    ['ssh://[::1', /is no name or address/],
    ['ssh://::1', /is no/],
    ['ssh://[-oProxyCommand]', /is no name or address/],
    [`ssh://${'a'.repeat(200)}`, /more than 180 characters/],
  ];
  for (const [text, reason] of bad) {
    test(`not ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(
        () => parseSshUrl(text),
        (error) => error instanceof AbortError && error.code === 'INVALID' && reason.test(error.message),
      );
    });
  }
});

const place = parseSshUrl('ssh://ann@lab:2222');
const files = {
  control: '/r/x.ctl',
  socket: '/r/x.sock',
  fresh: '/r/x.new',
  lock: '/r/x.lock',
  unforwarded: '/r/x.none',
};

describe('how ssh is run', () => {
  test('the host stands behind --, the line behind it; nothing is asked only when nobody is there', () => {
    const args = sshArguments(place, files, 'walt sign-in', false);
    assert.deepEqual(args.slice(-7), ['-l', 'ann', '-p', '2222', '--', 'lab', 'walt sign-in']);
    assert.ok(args.includes('ControlPath=/r/x.ctl'));
    assert.ok(!args.some((arg) => /StrictHostKeyChecking|UserKnownHostsFile|BatchMode/.test(arg)));
    assert.ok(sshArguments(place, files, 'walt sign-in', true).includes('BatchMode=yes'));
  });

  test('the master forwards the socket that was told', () => {
    const args = masterArguments(place, files, 'forward', '/run/walt/walt.sock');
    assert.deepEqual(args.slice(4, 8), ['-O', 'forward', '-L', '/r/x.new:/run/walt/walt.sock']);
  });

  for (const [path, can] of [
    ['/run/walt/walt.sock', true],
    ['relative', false],
    ['/run/a:b', false],
    ['/run/%h', false],
    ['/run/$HOME', false],
    ['/run/a b', false],
    ['/run/a\nb', false],
    [`/${'a'.repeat(107)}`, false],
  ] as const) {
    test(`${JSON.stringify(path.slice(0, 30))} can${can ? '' : ' not'} be forwarded to`, () => {
      assert.equal(canForwardTo(path), can);
    });
  }
});

describe('what was printed there', () => {
  const token = 'a'.repeat(43);
  const line = `walt-sign-in ${JSON.stringify({ token, user: 'ann', socket: '/s' })}`;
  const cases: [what: string, output: string, signedIn: boolean][] = [
    ['the line alone', `${line}\n`, true],
    ['with what a shell prints around it', `Welcome!\r\n${line}\nbye\n`, true],
    ['nothing', '', false],
    ['another line', 'hello\n', false],
    ['the line in another one', `x ${line}\n`, false],
    ['half a line', line.slice(0, -3), false],
    ['a token with a line end', line.replace(token, `${token}\\r\\nx: y`), false],
    ['no token', 'walt-sign-in {"user":"ann","socket":"/s"}', false],
    ['null', 'walt-sign-in null', false],
  ];
  for (const [what, output, signedIn] of cases) {
    test(what, () => {
      assert.deepEqual(parseSignIn(output), signedIn ? { token, user: 'ann', socket: '/s' } : undefined);
    });
  }
});

describe('why nothing came of it', () => {
  const told = (code: string, message: string) => JSON.stringify({ error: { code, message, hint: 'Next.' } });
  const cases: [status: number, stderr: string, code: string, message: RegExp, hint: RegExp][] = [
    [
      255,
      'Permission denied, please try again.\r\nann@lab: Permission denied (publickey).\r\n',
      'UNAVAILABLE',
      /ssh did not get to ssh:\/\/ann@lab:2222\.\nPermission denied, please try again\.\nann@lab: Permission denied \(publickey\)\.$/,
      /See whether `ssh` alone logs in to lab: .* If another host is meant: walt server list$/,
    ],
    [255, 'Host key verification failed.', 'UNAVAILABLE', /did not get/, /asks whether lab is the host/],
    [255, '', 'UNAVAILABLE', /It said nothing/, /ssh/],
    [
      127,
      'bash: walt: command not found',
      'UNAVAILABLE',
      /There is no walt on the machine/,
      /\/usr\/local\/bin/,
    ],
    [
      1,
      'This account is currently not available.',
      'UNAVAILABLE',
      /is no walt: it ended with status 1/,
      /Look at/,
    ],
    [0, '', 'UNAVAILABLE', /is no walt/, /Look at/],
    [
      1,
      `motd\n${told('UNAVAILABLE', 'Cannot reach it.')}`,
      'UNAVAILABLE',
      /^On the machine of .*: Cannot reach it\.$/,
      /^Next\.$/,
    ],
    [
      2,
      told('USAGE', 'There is no category named "sign-in".'),
      'VERSION',
      /too old to be reached/,
      /upgrade it/,
    ],
    [1, '{"error":3}\n{"error":{"code":1}}\n{"error":', 'UNAVAILABLE', /is no walt/, /Look at/],
  ];
  for (const [status, stderr, code, message, hint] of cases) {
    test(`status ${status}, ${JSON.stringify(stderr.slice(0, 40))}`, () => {
      const failure = sshFailure(place, status, stderr);
      assert.equal(failure.code, code);
      assert.match(failure.message, message);
      assert.match(failure.hint, hint);
    });
  }

  test('of a flood, the end is told', () => {
    assert.ok(sshFailure(place, 255, 'x'.repeat(1e6)).message.length < 3000);
  });
});

test('a machine without ssh is told so, whichever way is tried', async () => {
  const { PATH } = process.env;
  process.env.PATH = '/nonexistent';
  try {
    await assert.rejects(
      dialByCommand(place, files, true),
      /^AbortError: There is no ssh on this machine\.$/,
    );
  } finally {
    process.env.PATH = PATH;
  }
});

describe('the list of servers', () => {
  test('is read as it was written', () => {
    const { known, used } = parseServers('{"servers":{"lab":"ssh://ann@lab"},"use":"lab"}');
    assert.deepEqual([known.get('lab')?.url, used], ['ssh://ann@lab', 'lab']);
    assert.equal(parseServers('{"servers":{},"use":null}').used, undefined);
  });

  for (const text of [
    '',
    'null',
    '[]',
    '{"servers":{"lab":"ssh://-x"}}',
    '{"servers":{"Lab":"ssh://x"}}',
    '{"servers":{"lab":3}}',
    '{"servers":{},"use":"lab"}',
    '{"servers":{},"use":"__proto__"}',
    `{"servers":{}, "x": "${'x'.repeat(1024 * 1024)}"}`,
  ]) {
    test(`${text.slice(0, 40)} is none`, () => {
      assert.throws(() => parseServers(text));
    });
  }

  for (const name of [
    '',
    '-a',
    'A',
    'a b',
    '../a',
    'a/b',
    '__proto__',
    'a\n',
    'a'.repeat(64),
    'ä',
    '--server',
  ]) {
    test(`${JSON.stringify(name.slice(0, 12))} is no name`, () => {
      assert.throws(() => checkServerName(name), { code: 'INVALID' });
    });
  }
});

describe('versions of the contract', () => {
  const cases: [header: unknown, hint: RegExp | undefined][] = [
    [undefined, undefined],
    ['1.0', undefined],
    ['1.9999', undefined],
    ['2.0', /Upgrade walt on this machine/],
    ['0.9', /Ask the administrator/],
    ['x', /Ask the administrator/],
    ['', /Ask the administrator/],
    ['1', /Ask the administrator/],
    [['1.0', '2.0'], /Ask the administrator/],
  ];
  for (const [header, hint] of cases) {
    test(`a server that tells ${JSON.stringify(header)}`, () => {
      const failure = otherMajor(header, 'ssh://lab');
      assert.equal(failure?.code, hint && 'VERSION');
      if (hint) assert.match(failure?.hint ?? '', hint);
    });
  }

  test('a call that an older server does not know', () => {
    const refusal = new AbortError('NOT_FOUND', 'The server knows no call "/rpc/x/y".', '');
    const asked = (header: unknown) => unknownCall(refusal, { path: '/rpc/x/y', header })?.code;
    assert.equal(asked('1.0'), 'VERSION');
    assert.equal(asked('1.9999'), undefined);
    const other = new AbortError('NOT_FOUND', 'There is no node named "x".', '');
    assert.equal(unknownCall(other, { path: '/rpc/x/y', header: '1.0' }), undefined);
  });
});

test('a connection that is lost names the server elsewhere', () => {
  const { route } = remoteWay(parseSshUrl('ssh://ann@lab.example'), '/nonexistent', {});
  const { message } = route.lost();
  assert.equal(message, 'The connection to the WalT server at ssh://ann@lab.example was lost.');
  assert.equal(route.failure(Object.assign(new Error(), { code: 'EPIPE' })).message, message);
});
