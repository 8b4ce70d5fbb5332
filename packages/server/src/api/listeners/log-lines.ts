import { logLines } from '@walt/contract';
import { sendStream, UserError } from '../../platform/index.ts';
import { parseQuery, sendJson } from '../http.ts';
import type { Services } from '../services.ts';
import { bodyOf, type PlainQuestion } from './image-files.ts';

/** Lines that were logged (GET, text): as they are read, so that a slow reader takes no memory. */
export async function serveLogLines(
  { logs }: Services,
  { caller, url, request, response }: PlainQuestion,
): Promise<void> {
  requireMethod('GET', request.method, url);
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const lines = await logs.read(caller, parseQuery(logLines.query, url), gone.signal);
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  await sendStream(response, lines);
}

/** Lines of a file (PUT, JSON lines). */
export async function serveLogImport(
  { logImports }: Services,
  { caller, url, request, response }: PlainQuestion,
): Promise<void> {
  requireMethod('PUT', request.method, url);
  sendJson(response, 200, await logImports.write(caller, () => bodyOf(request)));
}

function requireMethod(method: string, used: string | undefined, { pathname }: URL): void {
  if (used === method) return;
  throw new UserError('INVALID', `${used} is no way to use ${pathname}.`, `Use ${method}.`);
}
