import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendStream } from '../../platform/index.ts';
import type { Download } from '../boot-files.ts';

/** What somebody on walt-net asks by HTTP. */
export interface Question {
  ip: string;
  url: URL;
  request: IncomingMessage;
  response: ServerResponse;
}

/** The first `limit` characters of what was sent; who sends more is cut off. */
export async function bodyOf(request: IncomingMessage, limit: number): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > limit) break;
  }
  return body.slice(0, limit);
}

export async function sendFile({ request, response }: Question, { size, content }: Download): Promise<void> {
  // GRUB before 2.12 knows the size by this spelling only; without it, it finds no memory for a kernel ("out of memory").
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': size });
  if (request.method !== 'HEAD') return await sendStream(response, content);
  response.end();
  content.destroy();
}
