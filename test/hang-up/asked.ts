import type { Random } from '../random.ts';
import type { Endpoint } from './endpoints.ts';
import { makeInput } from './make-input.ts';
import type { Asked } from './visit.ts';
import type { Vocabulary } from './vocabulary.ts';
import { frames } from './web-socket.ts';

/** A request of that endpoint, with input that it accepts where that can be found. */
export function askFor(endpoint: Endpoint, token: string, vocabulary: Vocabulary, random: Random): Asked {
  const { method, path, query, json, upgrade } = endpoint;
  const body = json
    ? Buffer.from(JSON.stringify({ json: makeInput(json, vocabulary, random) }))
    : random.bytes(600);
  const sends = method !== 'GET';
  const head = [
    `${method} ${path}${query ? `?${queryText(makeInput(query, vocabulary, random))}` : ''} HTTP/1.1`,
    'host: walt',
    `authorization: Bearer ${token}`,
    ...(sends ? ['content-type: application/json', `content-length: ${body.length}`] : []),
    ...(upgrade
      ? [
          'connection: upgrade',
          'upgrade: websocket',
          'sec-websocket-version: 13',
          `sec-websocket-key: ${KEY}`,
        ]
      : ['connection: close']),
  ];
  return {
    head: Buffer.from(`${head.join('\r\n')}\r\n\r\n`),
    body: sends ? body : Buffer.alloc(0),
    after: upgrade ? frames(random) : Buffer.alloc(0),
  };
}

/** RFC 6455, 1.3: its example. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

function queryText(input: unknown): string {
  if (typeof input !== 'object' || input === null) return '';
  return String(new URLSearchParams(Object.entries(input).map(([key, value]) => [key, String(value)])));
}
