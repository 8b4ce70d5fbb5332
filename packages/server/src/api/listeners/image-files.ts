import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { imageFiles } from '@walt/contract';
import type { Caller } from '../../access/index.ts';
import { sendStream, UserError } from '../../platform/index.ts';
import { parseQuery, sendJson } from '../http.ts';
import type { CallContext } from '../router.ts';
import type { Services } from '../services.ts';

export interface PlainQuestion {
  caller: Caller;
  context: CallContext;
  url: URL;
  request: IncomingMessage;
  response: ServerResponse;
}

/** Files out of an image (GET, a tar) and into it (PUT, a tar); bodies are streamed, so they may be larger than memory. */
export async function serveImageFiles(
  { images: { files } }: Services,
  { caller, url, request, response }: PlainQuestion,
): Promise<void> {
  const { only, ...place } = parseQuery(imageFiles.query, url);
  switch (request.method) {
    case 'GET': {
      if (only === 'kind') return sendJson(response, 200, await files.kind(caller, place));
      const tar = await files.read(caller, place);
      response.writeHead(200, { 'content-type': 'application/x-tar' });
      await sendStream(response, tar);
      return;
    }
    case 'PUT':
      return sendJson(response, 200, await files.write(caller, place, () => bodyOf(request)));
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
    // It may have come as a whole, and nobody reads the rest any more.
    if (!request.readableEnded) body.destroy(new Error('the client has gone'));
  };
  // It may break off before somebody reads it: who reads then will notice.
  body.on('error', () => {});
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
