import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sessionOf, sessionsOf } from './session.ts';

describe('sessions are opened', () => {
  const rows: [what: string, root: Record<string, unknown> | undefined, path: unknown][] = [
    ['where the root says', { Links: { Sessions: { '@odata.id': '/s' } } }, '/s'],
    ['where the standard says', {}, '/redfish/v1/SessionService/Sessions'],
    ['there, too, if links are none', { Links: [] }, '/redfish/v1/SessionService/Sessions'],
    ['there, too, if the root is none', undefined, '/redfish/v1/SessionService/Sessions'],
  ];
  for (const [what, root, path] of rows) test(what, () => assert.equal(sessionsOf(root), path));
});

describe('a session is', () => {
  const rows: [what: string, headers: Record<string, string>, body: object | undefined, path: unknown][] = [
    ['at a path', { location: '/s/1' }, undefined, '/s/1'],
    ['at a whole URL, whoever it names', { location: 'https://10.0.0.1/s/1' }, undefined, '/s/1'],
    ['where its resource is', {}, { '@odata.id': '/s/1' }, '/s/1'],
    ['nowhere', {}, {}, undefined],
    ['at a place that is none', { location: 'https://' }, undefined, undefined],
  ];
  for (const [what, headers, body, path] of rows) {
    test(what, () => {
      const found = sessionOf({ ...headers, 'x-auth-token': 'word' }, body as Record<string, unknown>);
      assert.deepEqual(found, { token: 'word', path });
    });
  }
  for (const token of [undefined, '', 'two words', 'x'.repeat(5000), 'a\u00e4']) {
    test(`none with the token ${token?.slice(0, 20)}`, () => {
      const headers = { location: '/s/1', ...(token !== undefined && { 'x-auth-token': token }) };
      assert.throws(() => sessionOf(headers, undefined), /without a token/);
    });
  }
});
