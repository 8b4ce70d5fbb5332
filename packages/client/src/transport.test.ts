import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { localRoute } from './local.ts';
import { readText, send } from './transport.ts';

test('the head of a request is sent at once, however late its body begins', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-transport-'));
  const socket = join(folder, 'walt.sock');
  const server = createServer();
  server.listen(socket);
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });
  const body = new PassThrough();
  const answer = send(localRoute(socket), { method: 'PUT', path: '/', headers: {}, body });
  const [request, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  body.end('late');
  response.end(await readText(request));
  assert.equal(await readText(await answer), 'late');
});
