import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ExternalError } from './errors.ts';

describe('a failed program is told of', () => {
  const rows: [what: string, argv: string[], output: string, message: string][] = [
    ['by its last words', ['xz', '--', 'f'], 'a\nb\nc\nd\n', 'xz failed (exit status 1): b · c · d'],
    ['when it said nothing', ['true'], '\n', 'true failed (exit status 1): no output'],
    [
      'by the errors that it named',
      ['apt-get'],
      'Get:1\nE: File has unexpected size\n  Hashes\nE: Some files failed\nE: mmdebstrap failed\nI: cleaning\n',
      'apt-get failed (exit status 1): E: File has unexpected size · E: Some files failed',
    ],
    [
      'by its own name, not by those that ran it',
      ['nsenter', '--net=/x', '--', 'setpriv', '--pdeathsig', 'TERM', '--', 'mmdebstrap', '--', '-'],
      'Error: no',
      'mmdebstrap failed (exit status 1): Error: no',
    ],
    [
      'by its name where nothing runs in it',
      ['nsenter', '--bad'],
      'usage',
      'nsenter failed (exit status 1): usage',
    ],
  ];
  for (const [what, argv, output, message] of rows) {
    test(what, () => assert.equal(new ExternalError(argv, 1, output).message, message));
  }
});

test('what a program says is told shortly, and steers no terminal', () => {
  const { message, output } = new ExternalError(
    ['skopeo'],
    1,
    `error: \x1b[31m${'x'.repeat(5000)}\u009b end`,
  );
  assert.ok(message.length < 500);
  assert.match(message, /^skopeo failed \(exit status 1\): error: \?\[31mxx.*… ?x+\? end$/u);
  assert.ok(output.length > 5000);
});
