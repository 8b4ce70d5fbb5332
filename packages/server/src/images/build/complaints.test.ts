import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { ComplaintFilter, explainStep } from './complaints.ts';
import { assertLinear } from './growth.fixture.ts';

async function filtered(output: string, size: number): Promise<string> {
  const filter = new ComplaintFilter();
  const bytes = Buffer.from(output);
  for (let at = 0; at < bytes.length; at += size) filter.write(bytes.subarray(at, at + size));
  filter.end();
  return text(filter);
}

const FINAL = 'Error: building at STEP "RUN x": while running runtime: exit status 1\n';

describe('all is passed on but the lines with which buildah ends', () => {
  const cases: [output: string, passed: string][] = [
    ['', ''],
    ['out', 'out'],
    ['ün\nE', 'ün\nE'],
    [`a\nb\n${FINAL}`, 'a\nb\n'],
    [`Error: mine\nmore\n${FINAL}`, 'Error: mine\nmore\n'],
    [`container exited on killed\n${FINAL}`, ''],
    ['container exited on its own\n', 'container exited on its own\n'],
    [
      `x\nerror running container: from /mnt/w/runtime creating container for [/y]: time="1" level=error msg="runc create failed"\n: exit status 1\n${FINAL}`,
      'x\n',
    ],
    ['time is up\ntime="now" level=info\n', 'time is up\ntime="now" level=info\n'],
    [`${'Error: a\n'.repeat(3000)}end`, `${'Error: a\n'.repeat(3000)}end`],
  ];
  for (const [output, passed] of cases) {
    test(JSON.stringify(output.slice(0, 60)), async () => {
      for (const size of [1, 7, 100_000]) assert.equal(await filtered(output, size), passed);
    });
  }

  describe('a command need not end its line', () => {
    const runtime =
      'error running container: reading container state from /mnt/w/runtime (got output: ""): fork/exec /mnt/w/runtime: resource temporarily unavailable\n';
    const cases: [pieces: string[], passed: string][] = [
      [['unended', FINAL], 'unended\n'],
      [[`unended${FINAL}`], 'unended\n'],
      [['unended', FINAL.slice(0, 40), FINAL.slice(40)], 'unended\n'],
      [['one\n/bin/sh: ', runtime, FINAL], 'one\n/bin/sh: \n'],
      [[`one\n/bin/sh: ${runtime}${FINAL}`], 'one\n/bin/sh: \n'],
      [['Err', runtime + FINAL], 'Err\n'],
      // What is no end of a build is of the command.
      [['unended', 'error running container: mine\n', 'more'], 'unendederror running container: mine\nmore'],
    ];
    for (const [pieces, passed] of cases) {
      test(JSON.stringify(pieces.map((piece) => piece.slice(0, 30))), async () => {
        const filter = new ComplaintFilter();
        for (const piece of pieces) filter.write(piece);
        filter.end();
        assert.equal(await text(filter), passed);
      });
    }
  });

  test('at once, where it cannot be one', () => {
    const filter = new ComplaintFilter();
    filter.write('50 %');
    assert.equal(String(filter.read()), '50 %');
    filter.write(' time="');
    assert.equal(String(filter.read()), ' time="');
  });
});

const at = (said: string) => `printed\nError: building at STEP "COPY \\"a\\": b /x": ${said}\n`;

const reasons: [tail: string, reason: string][] = [
  [FINAL, 'exit status 1'],
  [`container exited on killed\n${FINAL}`, 'it was ended by the signal "killed"'],
  [
    at('checking on sources under "/mnt/w/context": copier: stat: "/absent": no such file or directory'),
    '"absent" is not there',
  ],
  [
    at(
      'checking on sources under "/mnt/w/context": Rel: can\'t make  relative to /mnt/w/context; copier: stat: ["/a*"]: no such file or directory',
    ),
    '"a*" is not there',
  ],
  [
    at(
      'reading "http://127.0.0.1:1/x": Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused',
    ),
    '"http://127.0.0.1:1/x" cannot be fetched: connection refused',
  ],
  [
    at(
      'reading "http://a.invalid/": Get "http://a.invalid/": dial tcp: lookup a.invalid on 10.0.2.3:53: no such host',
    ),
    '"http://a.invalid/" cannot be fetched: no such host',
  ],
  [
    at('looking up UID/GID for "a:b": determining run uid: user: unknown user error looking up user "a"'),
    'the image has no user "a"',
  ],
  [at('Error parsing chmod xyz'), '"xyz" is no mode in octal digits'],
  [
    at('copier: mkdir: error checking directory "/bin/b/x": mkdir /bin/b/x: not a directory'),
    '"/bin/b/x" would lie in what is no folder',
  ],
  [
    `error running container: from /mnt/w/runtime creating container for [/no x]: time="t" level=error msg="runc create failed: unable to start container process: exec: \\"/no\\": stat /no: no such file or directory"\n: exit status 1\n${FINAL}`,
    'the image has no program "/no"',
  ],
  [at('something new in /mnt/s/overlay/abc/merged: &{map[a:b]}'), 'something new in …: …'],
  ['', 'it was killed'],
  [at(`\u001b[2J${'x'.repeat(5000)}`), ` [2J${'x'.repeat(196)}`],
];
for (const [tail, reason] of reasons) {
  test(`tells ${JSON.stringify(reason.slice(0, 60))}`, () => assert.equal(explainStep(tail), reason));
}

describe('the time grows with the length of the text, and no faster', () => {
  for (const piece of [
    ...['building at STEP "', 'Get "', ' Get "x": a', 'copier: stat: [', '{', '/mnt/s', 'mkdir ', 'corrupt'],
    ...['error running container: ', 'exec: "', 'unknown user error looking up user "'],
  ]) {
    test(piece, () => {
      assertLinear(4000, (size) => void explainStep(`Error: ${piece.repeat(size / piece.length)}`));
    });
  }
});
