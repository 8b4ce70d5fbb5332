/** Files of images by tar(1), as the contract's `imageFiles` says. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
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
    if (url.searchParams.get('only') === 'kind') {
      const kind = existsSync(place) ? (statSync(place).isDirectory() ? 'folder' : 'file') : null;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind }));
      return;
    }
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
    const tar = spawn('tar', ['-C', dirname(place), '--format=pax', '-cf', '-', '--', basename(place)]);
    response.writeHead(200, { 'content-type': 'application/x-tar' });
    tar.stdout.pipe(response);
    return;
  }
  const isFolder = existsSync(place) && statSync(place).isDirectory();
  const folder = isFolder ? place : dirname(place);
  if (!existsSync(folder)) {
    request.resume();
    return refuse(response, 404, 'NOT_FOUND', `There is no folder ${dirname(path)} in ${reference}.`);
  }
  const sent = join(world.imageFolder(image.fullName), '..', 'sent.tar');
  await pipeline(request, createWriteStream(sent));
  const [top = ''] = execFileSync('tar', ['-tf', sent], { encoding: 'utf8' }).split('\n');
  if (!isFolder && top === './') mkdirSync(place);
  const transform =
    isFolder || top === './' ? [] : [`--transform=flags=rhS;s,^\\./[^/]*,${basename(place)},`];
  const into = top === './' ? place : folder;
  const tar = spawn('tar', ['-C', into, ...transform, '--numeric-owner', '-xpf', sent], { stdio: 'inherit' });
  const [status] = await once(tar, 'close');
  if (status !== 0) return refuse(response, 502, 'EXTERNAL', 'tar failed.');
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ image: image.fullName, digest: fakeDigest, nodes: image.nodes }));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ code, status, message, data: { hint: 'Look again.' }, defined: true }));
}
