import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExternalError, isUserError } from '../../platform/index.ts';
import { explainCopying } from './copy-failure.ts';
import type { FailureKind, RegistryGate } from './index.ts';
import { explainFailure, unknownRegistry } from './registry-failure.ts';

const asked = { label: 'lab', host: 'lab.example', what: 'exp:v1' };

/** What became of a request, and what the user is told. */
const failures: [kind: FailureKind, detail: string, code: string, message: RegExp][] = [
  ['unauthorized', '401', 'FORBIDDEN', /"lab:exp:v1" is for users who may/],
  ['denied', '403', 'FORBIDDEN', /does not let you do this with "lab:exp:v1"/],
  ['too-many-requests', '429', 'UNAVAILABLE', /no more requests/],
  ['not-found', '404', 'NOT_FOUND', /There is no "lab:exp:v1"/],
  ['status', '503', 'EXTERNAL', /HTTP status 503/],
  ['unknown-authority', 'lab.example', 'UNAVAILABLE', /an authority that this server does not know/],
  ['plain-http', 'lab.example', 'UNAVAILABLE', /speaks HTTP without TLS/],
  ['no-such-host', 'lab.example', 'UNAVAILABLE', /does not find lab\.example/],
  ['unreachable', 'lab.example', 'UNAVAILABLE', /cannot reach lab\.example/],
  ['silent', 'lab.example', 'UNAVAILABLE', /sends nothing any more/],
  ['too-large', '4194304', 'EXTERNAL', /"lab:exp:v1" than it may: over 4194304 bytes/],
  ['foreign-realm', 'evil.example', 'FORBIDDEN', /your password sent to evil\.example/],
  ['internal-address', '127.0.0.1:80', 'FORBIDDEN', /leads to 127\.0\.0\.1:80/],
];

for (const [kind, detail, code, message] of failures) {
  test(`${kind} is ${code}`, () => {
    const error = explainFailure({ kind, detail }, asked);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.ok(error.hint);
  });
}

const gateThat = (failure?: Error) =>
  ({ access: asked, failure: async () => failure }) as unknown as RegistryGate;

/** What skopeo 1.9 says where the gate saw nothing wrong. */
const said: [output: string, damaged: boolean][] = [
  ['writing blob: Digest did not match, expected sha256:1, got sha256:2', true],
  ['storing blob to file "/x/1": flate: corrupt input before offset 493', true],
  ['committing: archive/tar: invalid tar header', true],
  ['storing blob to file "/x/1": write /x/1: no space left on device', false],
  ['image not known', false],
];

for (const [output, damaged] of said) {
  test(`${damaged ? 'a damaged image' : 'nothing'} for ${output}`, async () => {
    const failed = new ExternalError(['skopeo'], 1, output);
    const error = await explainCopying(failed, gateThat(), 'exp:v1');
    if (!damaged) assert.equal(error, failed);
    else assert.ok(isUserError(error) && /not what its digest says/.test(error.message));
  });
}

test('what the gate saw comes first; what is no failure of a program stays', async () => {
  const seen = explainFailure({ kind: 'denied', detail: '403' }, asked);
  assert.equal(
    await explainCopying(new ExternalError(['skopeo'], 1, 'unexpected EOF'), gateThat(seen), 'x'),
    seen,
  );
  const given = new Error('client is gone');
  assert.equal(await explainCopying(given, gateThat(seen), 'x'), given);
});

test('an unknown label is answered with those that are known', () => {
  assert.match(unknownRegistry('x', ['hub', 'lab']).hint, /"walt:" or "hub:" or "lab:"/);
});
