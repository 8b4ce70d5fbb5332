/** Files of images by tar(1), as the contract's `imageFiles` says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { FakeWorld } from './fake-server.ts';
import { fakeDigest } from './fixtures.ts';

export async function serveImageFiles(
  world: FakeWorld,
  token: string | undefined,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!world.auth.accepts(token))
    return refuse(response, 401, 'UNAUTHENTICATED', 'Your sign-in has run out.');
  const reference = url.searchParams.get('image') ?? '';
  const path = url.searchParams.get('path') ?? '/';
  const image = world.images.find(({ fullName, name }) => fullName === reference || name === reference);
  if (image === undefined) return refuse(response, 404, 'NOT_FOUND', `There is no image named ${reference}.`);
  const place = join(world.imageFolder(image.fullName), path);
  if (request.method === 'GET') {
    if (!existsSync(place)) return refuse(response, 404, 'NOT_FOUND', `There is no ${path} in ${reference}.`);
    const own = world.nextTar?.();
    world.nextTar = undefined;
    if (own !== undefined) {
      response.writeHead(200, { 'content-type': 'application/x-tar' });
      Readable.from(own)
        .on('error', () => response.destroy())
        .pipe(response);
      return;
    }
    const tar = spawn('tar', ['-C', dirname(place), '-cf', '-', '--', basename(place)]);
    response.writeHead(200, { 'content-type': 'application/x-tar' });
    tar.stdout.pipe(response);
    return;
  }
  if (!existsSync(place) || !statSync(place).isDirectory()) {
    request.resume();
    return refuse(response, 404, 'NOT_FOUND', `There is no folder ${path} in ${reference}.`);
  }
  const tar = spawn('tar', ['-C', place, '-xpf', '-'], { stdio: ['pipe', 'inherit', 'inherit'] });
  request.pipe(tar.stdin);
  request.on('aborted', () => tar.kill());
  const [status] = await once(tar, 'close');
  if (status !== 0) return refuse(response, 502, 'EXTERNAL', 'tar failed.');
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ image: image.fullName, digest: fakeDigest, nodes: image.nodes }));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ code, status, message, data: { hint: 'Look again.' }, defined: true }));
}
