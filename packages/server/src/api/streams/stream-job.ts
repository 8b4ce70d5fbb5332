import { PassThrough } from 'node:stream';
import { type JobEnd, type JobEvent, jobChannels, type ServerFrame } from '@walt/contract';
import type { WebSocket } from 'ws';
import type { JobClient } from '../../images/index.ts';
import type { Log } from '../../platform/index.ts';
import { receiveAll, sendAll } from './pump.ts';

/** Bytes of a client that wait for a job. */
const MAX_WAITING = 1024 * 1024;

/**
 * Runs a job with the client at the other end of a WebSocket (contract, jobs.ts). Answers what the job comes to as the last frame;
 * nothing when there is nobody to hear it. Throws what the job throws.
 */
export async function serveJob(
  socket: WebSocket,
  size: JobClient['size'],
  log: Log,
  job: (client: JobClient) => Promise<JobEnd | undefined>,
): Promise<ServerFrame | undefined> {
  const end = await job(clientBehind(socket, size, log));
  return end && { type: 'exit', ...end };
}

function clientBehind(socket: WebSocket, size: JobClient['size'], log: Log): JobClient {
  const { signal, sent, onResize } = receive(socket);
  const tell = (event: JobEvent) => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(inChannel('event', Buffer.from(JSON.stringify(event))));
  };
  return {
    ...{ tell, size, signal },
    input: () => {
      tell({ type: 'ready' });
      return sent;
    },
    output: (to, stream) => sendAll(stream, socket, (bytes: Buffer) => inChannel(to, bytes)),
    printed: (stream) =>
      sendAll(stream, socket, ({ to, bytes }: { to: 'stdout' | 'stderr'; bytes: Buffer }) =>
        inChannel(to, bytes),
      ),
    files: async (tar) => {
      await sendAll(tar, socket, (bytes: Buffer) => inChannel('files', bytes));
      // One that breaks off must not look complete.
      if (!tar.readableEnded) throw new Error('the tar of changed files broke off');
    },
    onResize: (follow) =>
      onResize((wanted) => {
        // The shell may have ended in this very moment.
        follow(wanted).catch((error: Error) => log.warn('resize failed', { error: error.message }));
      }),
  };
}

/** Takes all that the client sends, from now on: a client that leaves is seen as long as not too much waits. */
function receive(socket: WebSocket) {
  const gone = new AbortController();
  const sent = new PassThrough({ highWaterMark: MAX_WAITING });
  let wanted: JobClient['size'] | undefined;
  let follow = (size: JobClient['size']) => {
    wanted = size;
  };
  const leave = () => {
    gone.abort(new Error('the client has gone'));
    if (!sent.writableEnded) sent.destroy(gone.signal.reason);
  };
  receiveAll(socket, sent, (frame) => {
    if (frame.type === 'end') sent.end();
    else if (frame.type === 'resize') follow(frame);
  });
  if (socket.readyState !== socket.OPEN) leave();
  socket.once('close', leave);
  socket.resume();
  return {
    signal: gone.signal,
    sent,
    onResize: (act: typeof follow) => {
      follow = act;
      if (wanted) act(wanted);
    },
  };
}

function inChannel(channel: keyof typeof jobChannels, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(jobChannels[channel]), bytes]);
}
