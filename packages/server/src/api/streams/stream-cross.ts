import { type Readable, Transform } from 'node:stream';
import { crossChannels, type ServerFrame } from '@walt/contract';
import type { WebSocket } from 'ws';
import type { BuildClient, Told } from '../../images/index.ts';
import { buildChannels, inChannel } from './build-channels.ts';
import { sendAll, through } from './pump.ts';

/**
 * Runs a prepared build for the client at the other end of a WebSocket, which sees all of it (contract, cross.ts). Answers the
 * command's exit status as the last frame. The build ends when the client leaves.
 */
export async function serveCross(
  socket: WebSocket,
  build: (client: Told<BuildClient>) => Promise<number>,
): Promise<ServerFrame> {
  const { say, ...common } = buildChannels(socket);
  const status = await build({
    ...common,
    output: (frames) => sendAll(through(frames, new OutputChannels()), socket),
    ended: (status) => say({ type: 'ended', status }),
    deleted: (paths) => say({ type: 'deleted', paths: [...paths] }),
    files: (tar) => sendFiles(tar, socket),
    progress: (step) => say({ type: 'progress', step }),
  });
  return { type: 'exit', status };
}

/** A tar that breaks off must not look complete: its failure is that of the build. */
async function sendFiles(tar: Readable, socket: WebSocket): Promise<void> {
  const channel = new Transform({
    readableObjectMode: true,
    transform: (chunk: Buffer, _encoding, done) => done(null, inChannel(crossChannels.files, chunk)),
  });
  await sendAll(through(tar, channel), socket);
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
