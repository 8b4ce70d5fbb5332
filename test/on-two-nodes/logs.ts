/** What nodes log: read, waited for, and complete, whoever is killed meanwhile. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Platform } from '../platform.ts';
import { haveNodes, leavePlatform, usePlatform } from '../shared-platform.ts';

let platform: Platform;
before(async () => {
  platform = await usePlatform();
  await haveNodes(platform, 'alpha', 'beta');
});
after(leavePlatform);

const SHORT = ['--format', '{issuer}.{stream} {line}'];

test('a line is waited for, and told with its node, its stream and the time of the server', async () => {
  const { root } = platform;
  const began = Date.now();
  await root.on('alpha', 'walt-log-echo app "ready to go"');
  const args = ['--issuers', 'alpha,beta', '--time-margin', '3600', '--timeout', '5m'];
  const waited = await root.ok('log', 'wait', 'ready to', ...args, '--json');
  const { timestamp, ...line } = JSON.parse(waited);
  assert.deepEqual(line, { issuer: 'alpha', stream: 'app', line: 'ready to go' });
  const time = new Date(timestamp).getTime();
  assert.ok(time > began - 5_000 && time < Date.now() + 5_000, timestamp);
  await root.on('beta', 'printf "one\\ntwo\\n" | walt-log-tee lines');
  await root.ok('log', 'wait', '^two$', ...args);
  const shown = await root.ok('log', 'show', '--issuers', 'beta', '--streams', '^lines$', ...SHORT);
  assert.equal(shown, 'beta.lines one\nbeta.lines two\n');
  assert.match(await root.ok('log', 'show', '--platform', 'node booted'), /alpha: node booted/);
});

test('what its console prints is a stream of logs, each line once, whoever is killed meanwhile', async () => {
  const { root } = platform;
  const stream = ['--issuers', 'alpha', '--streams', '^console$'];
  const patience = ['--time-margin', '3600', '--timeout', '5m'];
  // Of its boot.
  await root.ok('log', 'wait', 'walt: alpha is ready after', ...stream, ...patience);
  const total = 100;
  // Somebody may have left a prompt there.
  const loop = `echo; i=0; while [ $i -lt ${total} ]; do i=$((i + 1)); echo "round $i of all"; sleep 0.1; done`;
  await root.on('alpha', `setsid sh -c '${loop}' </dev/null >/dev/console 2>&1 &`);
  await root.ok('log', 'wait', 'round 10 of all', ...stream, ...patience);
  await platform.kill('walt-logs');
  await root.ok('log', 'wait', 'round 30 of all', ...stream, ...patience);
  await platform.crash();
  await root.ok('log', 'wait', `round ${total} of all`, ...stream, ...patience);
  const shown = await root.ok('log', 'show', '^round', ...stream, '--history', '-1h:', '--format', '{line}');
  const expected = Array.from({ length: total }, (_, at) => `round ${at + 1} of all`);
  assert.deepEqual(shown.trimEnd().split('\n'), expected);
});

test('its kernel logs by netconsole, as the manual says', async () => {
  const { root } = platform;
  await root.on(
    'alpha',
    `. /etc/walt/env
nic=$(ip -o route get "$walt_server_ip" | sed 's/.* dev \\([^ ]*\\).*/\\1/')
modprobe netconsole "netconsole=@/$nic,12342@$walt_server_ip/"
echo '<2>the kernel was here' > /dev/kmsg`,
  );
  const args = [
    '--issuers',
    'alpha',
    '--streams',
    '^netconsole$',
    '--time-margin',
    '3600',
    '--timeout',
    '5m',
  ];
  assert.match(await root.ok('log', 'wait', 'the kernel was here$', ...args), /the kernel was here/);
});

test('no line is lost and none comes twice when what keeps them, and the server, are killed', async () => {
  const { root } = platform;
  const total = 300;
  // Slowly, so that all that is killed below is killed while lines come.
  const loop = `i=0; while [ $i -lt ${total} ]; do i=$((i + 1)); echo "number $i"; sleep 0.05; done | walt-log-cat count`;
  // By itself: a connection to the node ends with the server.
  await root.on('alpha', `setsid sh -c '${loop}' </dev/null >/dev/null 2>&1 &`);
  await root.ok(
    'log',
    'wait',
    'number 20$',
    '--issuers',
    'alpha',
    '--time-margin',
    '3600',
    '--timeout',
    '5m',
  );
  for (let round = 0; round < 3; round += 1) {
    await platform.kill('walt-logs');
    const any = ['--issuers', 'alpha', '--streams', '^count$', '--timeout', '5m', ...SHORT];
    const last = await root.ok('log', 'wait', 'number', ...any);
    assert.match(last, /^alpha\.count number \d+\n$/);
  }
  await platform.crash();
  const all = [
    'log',
    'wait',
    `number ${total}$`,
    '--issuers',
    'alpha',
    '--time-margin',
    '3600',
    '--timeout',
    '5m',
  ];
  await root.ok(...all);
  const shown = await root.ok(
    'log',
    'show',
    '--issuers',
    'alpha',
    '--streams',
    '^count$',
    '--history',
    'full',
    ...SHORT,
  );
  const expected = Array.from({ length: total }, (_, at) => `alpha.count number ${at + 1}`);
  assert.deepEqual(shown.trimEnd().split('\n'), expected);
});
