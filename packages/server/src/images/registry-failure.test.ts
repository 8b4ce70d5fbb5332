import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainRegistry, unknownRegistry } from './registry-failure.ts';

const get = 'pinging container registry lab.example: Get "https://lab.example/v2/":';

/** What skopeo 1.9 and podman 4.3 print, and what becomes of it. */
const said: [output: string, code: string | undefined, message: RegExp][] = [
  ['logging into "lab.example": invalid username/password', 'FORBIDDEN', /does not accept this user name/],
  [
    'reading manifest v1 in lab.example/exp: unauthorized: authentication required',
    'FORBIDDEN',
    /"lab:exp:v1" is for users who may/,
  ],
  [
    'writing blob: initiating layer upload to /v2/exp/blobs/uploads/ in lab.example: denied: requested access to the resource is denied',
    'FORBIDDEN',
    /does not let you do this with "lab:exp:v1"/,
  ],
  [
    'reading manifest v1 in lab.example/exp: toomanyrequests: You have reached your pull rate limit',
    'UNAVAILABLE',
    /no more requests/,
  ],
  [
    `${get} x509: certificate signed by unknown authority`,
    'UNAVAILABLE',
    /an authority that this server does not know/,
  ],
  [
    `${get} x509: certificate is valid for other.example, not lab.example`,
    'UNAVAILABLE',
    /No safe connection to lab\.example: x509: certificate is valid for other\.example, not lab\.example\.$/,
  ],
  [`${get} remote error: tls: handshake failure`, 'UNAVAILABLE', /No safe connection/],
  [`${get} http: server gave HTTP response to HTTPS client`, 'UNAVAILABLE', /speaks HTTP without TLS/],
  [
    `${get} dial tcp: lookup lab.example on 10.0.0.1:53: no such host`,
    'UNAVAILABLE',
    /does not find lab\.example/,
  ],
  [`${get} dial tcp 10.0.0.1:443: connect: connection refused`, 'UNAVAILABLE', /cannot reach lab\.example/],
  [`${get} dial tcp 10.0.0.1:443: i/o timeout`, 'UNAVAILABLE', /cannot reach lab\.example/],
  ['Get "/v2/exp/blobs/sha256:1": stopped after 10 redirects', 'EXTERNAL', /in circles/],
  [
    'writing blob: Digest did not match, expected sha256:1, got sha256:2',
    'EXTERNAL',
    /not what its digest says/,
  ],
  [
    'storing blob to file "/x/1": flate: corrupt input before offset 493',
    'EXTERNAL',
    /not what its digest says/,
  ],
  [
    'writing blob: storing blob to file "/x/1": happened during read: unexpected EOF',
    'EXTERNAL',
    /broke off/,
  ],
  [
    'reading manifest v1 in lab.example/exp: manifest unknown: manifest unknown',
    'NOT_FOUND',
    /There is no "lab:exp:v1"/,
  ],
  [
    'Error fetching blob: invalid status code from registry 503 (Service Unavailable)',
    'EXTERNAL',
    /HTTP status 503/,
  ],
  ['storing blob to file "/x/1": write /x/1: no space left on device', undefined, /./],
  ['image not known', undefined, /./],
];

for (const [output, code, message] of said) {
  test(`${code ?? 'nothing'} for ${output.slice(0, 90)}`, () => {
    const error = explainRegistry(output, { label: 'lab', host: 'lab.example', what: 'exp:v1' });
    assert.equal(error?.code, code);
    if (error) assert.match(error.message, message);
  });
}

test('an unknown label is answered with those that are known', () => {
  assert.match(unknownRegistry('x', ['hub', 'lab']).hint, /"walt:" or "hub:" or "lab:"/);
});
