import { PassThrough, type Readable, Transform } from 'node:stream';
import { type CrossEvent, crossChannels, type ServerFrame } from '@walt/contract';
import type { WebSocket } from 'ws';
import type { Caller } from '../access/index.ts';
import { fullName } from './image-calls.ts';
import { receiveAll, sendAll } from './pump.ts';
import type { BuildClient, Services } from './services.ts';

/**
 * Runs a prepared build for the client at the other end of a WebSocket, which sees all of it (contract, cross.ts). Answers the
 * command's exit status as the last frame. The build ends when the client leaves.
 */
export async function serveCross(
  socket: WebSocket,
  caller: Caller,
  ticket: string,
  { images, nodes }: Services,
): Promise<ServerFrame> {
  const gone = new AbortController();
  const leave = () => gone.abort(new Error('the client has gone'));
  if (socket.readyState !== socket.OPEN) leave();
  socket.once('close', leave);
  const say = (event: CrossEvent) => {
    if (socket.readyState === socket.OPEN)
      socket.send(inChannel(crossChannels.control, Buffer.from(JSON.stringify(event))));
  };
  const client: BuildClient = {
    sources: () => {
      const sources = receiveSources(socket);
      say({ type: 'ready' });
      return sources;
    },
    output: (frames) => sendAll(frames.pipe(new OutputChannels()), socket),
    ended: (status) => say({ type: 'ended', status }),
    deleted: (paths) => say({ type: 'deleted', paths: [...paths] }),
    files: (tar) => sendFiles(tar, socket),
    progress: (step) => say({ type: 'progress', step }),
    saved: async (image, changed) => {
      const outdated = await nodes.outdated(fullName(image), image.digest);
      say({ type: 'saved', image: fullName(image), digest: image.digest, changed, nodes: [...outdated] });
    },
    signal: gone.signal,
  };
  return { type: 'exit', status: await images.cross.run(caller.user, ticket, client) };
}

/** The tar that the client sends, until its frame `end`; fails when it leaves before. */
export function receiveSources(socket: WebSocket): Readable {
  const sources = new PassThrough({ highWaterMark: 1024 * 1024 });
  socket.once('close', () => {
    if (!sources.writableEnded) sources.destroy(new Error('the client has gone'));
  });
  receiveAll(socket, sources, (frame) => {
    if (frame.type === 'end') sources.end();
  });
  socket.resume();
  return sources;
}

/** A tar that breaks off must not look complete: its failure is that of the build. */
async function sendFiles(tar: Readable, socket: WebSocket): Promise<void> {
  const channel = new Transform({
    readableObjectMode: true,
    transform: (chunk: Buffer, _encoding, done) => done(null, inChannel(crossChannels.files, chunk)),
  });
  tar.once('error', (error) => channel.destroy(error));
  await sendAll(tar.pipe(channel), socket);
}

export function inChannel(channel: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(channel), bytes]);
}

/** Bytes of the head of podman's frames: the stream (1 standard output, 2 standard error), three zeros, the length (big-endian). */
const HEAD = 8;

/** From podman's frames (Docker Engine API, "Attach to a container: stream format") to messages of our channels. */
export class OutputChannels extends Transform {
  #pending: Buffer = Buffer.alloc(0);

  constructor() {
    super({ readableObjectMode: true });
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (rest.length >= HEAD) {
      const end = HEAD + rest.readUInt32BE(4);
      if (rest.length < end) break;
      const channel = rest[0] === 2 ? crossChannels.stderr : crossChannels.stdout;
      if (end > HEAD) this.push(inChannel(channel, rest.subarray(HEAD, end)));
      rest = rest.subarray(end);
    }
    this.#pending = rest;
    done();
  }
}
