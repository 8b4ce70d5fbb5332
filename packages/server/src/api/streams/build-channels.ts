import { PassThrough, type Readable } from 'node:stream';
import { type CrossEvent, crossChannels, type SavedImage } from '@walt/contract';
import type { WebSocket } from 'ws';
import { receiveAll } from './pump.ts';

/** What builds of both kinds tell the client at the other end of a WebSocket, and take from it (contract, build.ts and cross.ts). */
export function buildChannels(socket: WebSocket) {
  const gone = new AbortController();
  const leave = () => gone.abort(new Error('the client has gone'));
  if (socket.readyState !== socket.OPEN) leave();
  socket.once('close', leave);
  // A paused WebSocket would not see the client leave while images are fetched.
  socket.resume();
  const say = (event: CrossEvent) => {
    if (socket.readyState === socket.OPEN)
      socket.send(inChannel(crossChannels.control, Buffer.from(JSON.stringify(event))));
  };
  return {
    say,
    /** Aborted when the client has left. */
    signal: gone.signal,
    sources: () => {
      const sources = receiveSources(socket, gone.signal);
      say({ type: 'ready' });
      return sources;
    },
    saved: (image: SavedImage) => say({ type: 'saved', ...image }),
  };
}

/** The tar that the client sends, until its frame `end`; fails when it leaves before, or has left. */
function receiveSources(socket: WebSocket, gone: AbortSignal): Readable {
  const sources = new PassThrough({ highWaterMark: 1024 * 1024 });
  // It may fail before somebody reads it: who reads then will notice.
  sources.on('error', () => {});
  const leave = () => {
    if (!sources.writableEnded) sources.destroy(gone.reason);
  };
  gone.addEventListener('abort', leave);
  if (gone.aborted) leave();
  receiveAll(socket, sources, (frame) => {
    if (frame.type === 'end') sources.end();
  });
  return sources;
}

export function inChannel(channel: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(channel), bytes]);
}
