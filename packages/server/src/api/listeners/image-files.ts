import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { type FileKind, fullName, imageFiles, parseImageReference } from '@walt/contract';
import { sendStream, UserError } from '../../platform/index.ts';
import type { CallContext } from '../calls/index.ts';
import { requireImageOwner } from '../calls/index.ts';
import { parseQuery, sendJson } from '../http.ts';
import type { Services } from '../services.ts';

export interface PlainQuestion {
  context: CallContext;
  url: URL;
  request: IncomingMessage;
  response: ServerResponse;
}

/** Answer to PUT. */
export interface ImageWritten {
  /** `owner/name`. */
  image: string;
  digest: string;
  /** Nodes that boot this name and still run an older digest. */
  nodes: string[];
}

/** Files out of an image (GET, a tar) and into it (PUT, a tar); bodies are streamed, so they may be larger than memory. */
export async function serveImageFiles(
  { identity, images, nodes }: Services,
  { context, url, request, response }: PlainQuestion,
): Promise<void> {
  const caller = await identity.caller(context.token);
  context.enter(caller.user);
  const { image: reference, path, only } = parseQuery(imageFiles.query, url);
  const { owner, name } = parseImageReference(reference, caller.user);
  const image = await images.get(owner, name);
  switch (request.method) {
    case 'GET': {
      if (only === 'kind') {
        const answer: FileKind = { kind: (await images.kindOfFile(image, path)) ?? null };
        sendJson(response, 200, answer);
        return;
      }
      const tar = await images.readFiles(image, path);
      response.writeHead(200, { 'content-type': 'application/x-tar' });
      await sendStream(response, tar);
      return;
    }
    case 'PUT': {
      requireImageOwner(caller, image, 'change');
      const written = await images.writeFiles(caller.user, image, path, bodyOf(request));
      const outdated = await nodes.outdated(fullName(written), written.digest);
      const answer: ImageWritten = { image: fullName(written), digest: written.digest, nodes: [...outdated] };
      sendJson(response, 200, answer);
      return;
    }
    default:
      throw new UserError(
        'INVALID',
        `${request.method} is no way to use ${url.pathname}.`,
        'Use GET or PUT.',
      );
  }
}

/**
 * The request's body as a stream of its own. It fails when the client breaks off; destroying it leaves the request alone, whose rest
 * is read and dropped: a client that still writes would see a broken pipe instead of the answer.
 */
export function bodyOf(request: IncomingMessage): Readable {
  const body = new PassThrough({ highWaterMark: 1024 * 1024 });
  const broken = () => {
    if (!request.complete) body.destroy(new Error('the client has gone'));
  };
  // A request that broke off before tells nobody again.
  if (request.destroyed) broken();
  request.once('error', broken);
  request.once('close', broken);
  body.once('close', () => {
    request.unpipe(body);
    request.resume();
  });
  return request.pipe(body);
}
