import { logLines } from '@walt/contract';
import { sendStream, UserError } from '../../platform/index.ts';
import { parseQuery } from '../http.ts';
import type { Services } from '../services.ts';
import type { PlainQuestion } from './image-files.ts';

/** Lines that were logged (GET, text): as they are read, so that a slow reader takes no memory. */
export async function serveLogLines(
  { identity, logs }: Services,
  { context, url, request, response }: PlainQuestion,
): Promise<void> {
  const caller = await identity.caller(context.token);
  context.enter(caller.user);
  if (request.method !== 'GET') {
    throw new UserError('INVALID', `${request.method} is no way to use ${url.pathname}.`, 'Use GET.');
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const lines = await logs.read(caller, parseQuery(logLines.query, url), gone.signal);
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  await sendStream(response, lines);
}
