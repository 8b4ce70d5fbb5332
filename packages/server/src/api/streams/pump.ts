import type { Readable, Writable } from 'node:stream';
import { type ClientFrame, clientFrame, type ServerFrame } from '@walt/contract';
import type { WebSocket } from 'ws';

/** Bytes that may wait in a WebSocket before its source is paused: a few scheduler slices at full speed. */
const HIGH_WATER = 1024 * 1024;
const LOW_WATER = HIGH_WATER / 4;
/** RFC 6455, 7.4.1. */
const POLICY_VIOLATION = 1008;

/**
 * Sends what `source` gives as binary messages, no faster than the client takes them. Resolves when `source` has ended, or is destroyed;
 * rejects when it fails. `message` makes a message of each piece.
 */
export function sendAll<Piece = Buffer>(
  source: Readable,
  socket: WebSocket,
  message?: (piece: Piece) => Buffer,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const resume = () => {
      if (source.isPaused() && socket.bufferedAmount <= LOW_WATER) source.resume();
    };
    source.on('data', (piece: Piece & Buffer) => {
      if (socket.readyState !== socket.OPEN) return;
      // `ws` has no drain event; the callback of each message tells that it went to the kernel.
      socket.send(message ? message(piece) : piece, { binary: true }, resume);
      if (socket.bufferedAmount > HIGH_WATER) source.pause();
    });
    source.once('end', resolve);
    source.on('error', reject);
    source.once('close', resolve);
  });
}

/**
 * Writes the client's binary messages to `sink`, no faster than it takes them; text messages are frames of the contract.
 * A client that sends anything else is cut off.
 */
export function receiveAll(socket: WebSocket, sink: Writable, onFrame: (frame: ClientFrame) => void): void {
  sink.on('drain', () => socket.resume());
  // A sink that is gone takes everything: what comes is dropped below, and the client's end is seen.
  sink.once('close', () => socket.resume());
  // Whoever reads from it, or waits for its end, tells the reason.
  sink.on('error', () => {});
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) {
      const frame = parseFrame(data.toString());
      if (frame) onFrame(frame);
      else socket.close(POLICY_VIOLATION, 'ill-formed frame');
      return;
    }
    if (sink.writableEnded || sink.destroyed) return;
    if (!sink.write(data)) socket.pause();
  });
}

/** Nothing to a client that has left. */
export function sendFrame(socket: WebSocket, frame: ServerFrame): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(frame));
}

/** Undefined for what is no frame of the contract. */
export function parseFrame(text: string): ClientFrame | undefined {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return undefined;
  }
  return clientFrame.safeParse(data).data;
}
