import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOG_STREAM } from '@walt/contract';
import { readMessage } from './message.ts';

const NOW = Date.UTC(2026, 10, 28, 12) * 1e3;
const BOM = '\ufeff';

/** Message, stream, lines; and seconds before now, where its time counts. */
const messages: [message: string, stream: string, lines: string[], ago?: number][] = [
  // RFC 5424, 6.5.
  [
    `<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - ${BOM}'su root' failed for lonvick on /dev/pts/8`,
    'syslog.su',
    ["auth.crit ID47: 'su root' failed for lonvick on /dev/pts/8"],
  ],
  [
    "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
    'syslog.myproc',
    ["local4.notice 8710: %% It's time to make the do-nuts."],
  ],
  [
    `<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"] ${BOM}An application event log entry...`,
    'syslog.evntslog',
    [
      'local4.notice ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"]: An application event log entry...',
    ],
  ],
  [
    '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3"][examplePriority@32473 class="high"]',
    'syslog.evntslog',
    ['local4.notice ID47 [exampleSDID@32473 iut="3"][examplePriority@32473 class="high"]'],
  ],
  // A value with what stands behind a backslash (6.3.3).
  [
    '<14>1 - - - - - [a@1 b="\\"\\]\\\\" c="]"] x',
    'syslog',
    ['user.info: 1 - - - - - [a@1 b="\\"\\]\\\\" c="]"] x'],
  ],
  ['<14>1 - - - - - [a@1 b="\\"\\]\\\\"] x', 'syslog', ['user.info [a@1 b="\\"\\]\\\\"]: x']],
  // Times: of the message if it can be, else of the arrival.
  ['<13>1 2026-11-28T11:59:58.25Z h app - - - x', 'syslog.app', ['user.notice: x'], 1.75],
  ['<13>1 2026-11-28T13:59:58.000001+02:00 h app - - - x', 'syslog.app', ['user.notice: x'], 1.999999],
  ['<13>1 2026-11-28T12:00:30Z h app - - - x', 'syslog.app', ['user.notice: x']],
  ['<13>1 2026-11-28T25:00:00Z h app - - - x', 'syslog.app', ['user.notice: x']],
  ['<13>1 9999-99-99T99:99:99Z h app - - - x', 'syslog.app', ['user.notice: x']],
  // RFC 3164, 5.4.
  [
    "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
    'syslog.su',
    ["auth.crit: 'su root' failed for lonvick on /dev/pts/8"],
  ],
  ['Use the BFG!', 'syslog', ['user.notice: Use the BFG!']],
  ['<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!', 'syslog', ['user.notice: Use the BFG!']],
  [
    "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time to make the do-nuts.  %%",
    'syslog',
    ["local4.notice: 1987 mymachine myproc[10]: %% It's time to make the do-nuts.  %%"],
  ],
  [
    "<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!",
    'syslog',
    ["kern.emerg: 1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!"],
  ],
  // As programs and switches send it.
  ['<38>Nov 28 12:00:00 sw1 sshd[77]: in\n', 'syslog.sshd', ['auth.info 77: in']],
  ['<38>Nov 28 12:00:00 sshd[77]: without a host', 'syslog.sshd', ['auth.info 77: without a host']],
  [
    '<189>29: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured from console by vty2',
    'syslog',
    ['local7.notice: 29: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured from console by vty2'],
  ],
  [
    '<134> Jan  1 00:02:03 192.168.1.1 ports:  port 1 is now on-line',
    'syslog.ports',
    ['local0.info:  port 1 is now on-line'],
  ],
  // What is none of it.
  ['', 'syslog', ['user.notice']],
  ['<192>x', 'syslog', ['user.notice: <192>x']],
  ['<013>x', 'syslog', ['user.notice: <013>x']],
  ['<13>2 - - - - - - x', 'syslog', ['user.notice: 2 - - - - - - x']],
  ['<13>1 - - a - - [open x', 'syslog', ['user.notice: 1 - - a - - [open x']],
  ['<13>1 - - a - - -x', 'syslog', ['user.notice: 1 - - a - - -x']],
  ['<13>one\ntwo\r\n\0', 'syslog', ['user.notice: one', 'two']],
  [
    '<13>1 - - \'";drop[table] - - - x',
    'syslog.\'";drop[table]'.replaceAll(/['";[\]]/g, '_'),
    ['user.notice: x'],
  ],
  [`<13>1 - - ${'a'.repeat(49)} - - - x`, 'syslog', [`user.notice: 1 - - ${'a'.repeat(49)} - - - x`]],
];

for (const [message, stream, lines, ago = 0] of messages) {
  test(`reads ${JSON.stringify(message)}`, () => {
    const read = readMessage(Buffer.from(message), NOW);
    assert.deepEqual(
      read.lines.map((line) => line.toString()),
      lines,
    );
    assert.equal(read.stream, stream);
    assert.match(read.stream, LOG_STREAM);
    assert.equal(read.time, NOW - ago * 1e6);
  });
}

test('bytes that are no UTF-8 are kept', () => {
  const bytes = Buffer.from([...Buffer.from('<13>1 - - a - - - '), 0xff, 0xfe, 0x00, 0x41]);
  const { lines } = readMessage(bytes, NOW);
  assert.deepEqual(lines, [Buffer.from([...Buffer.from('user.notice: '), 0xff, 0xfe, 0x00, 0x41])]);
});

test('what is made to take long is read at once', () => {
  const began = performance.now();
  for (const part of ['[a ', '[a b="', '\\"', '[a@1 b="c"]', ' ', 'a']) {
    readMessage(Buffer.from(`<13>1 - - - - - ${part.repeat(65_536 / part.length)}`), NOW);
    readMessage(Buffer.from(`<13>Oct 11 22:14:15 ${part.repeat(65_536 / part.length)}`), NOW);
  }
  // Milliseconds are usual; what goes back and forth takes minutes.
  assert.ok(performance.now() - began < 10_000);
});
