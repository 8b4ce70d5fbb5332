import type { ServerResponse } from 'node:http';
import type { Reason, Refusal } from './http-listener.ts';

const TEXT = 'text/plain; charset=utf-8';

/** A whole answer, as machines read it. */
export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': TEXT, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** What a machine of walt-net is told that is turned away. */
export function machineRefusal(reason: Reason): Refusal {
  const words = {
    all: [503, 'the server has too many connections: ask again later'],
    each: [429, 'this node has too many connections to the server'],
    slow: [408, 'the request did not come in time'],
  } as const;
  const [status, text] = words[reason];
  return { status, type: TEXT, text };
}
