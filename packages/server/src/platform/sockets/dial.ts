import { connect, type NetConnectOpts, type Socket } from 'node:net';

export interface DialOptions {
  /** Milliseconds. */
  timeout?: number;
  signal?: AbortSignal;
}

/** Whether somebody listens there. */
export function answers(where: NetConnectOpts, options?: DialOptions): Promise<boolean> {
  return dial(where, options).then(
    (socket) => {
      socket.destroy();
      return true;
    },
    () => false,
  );
}

/**
 * A connection. Rejects with the system's error, with ETIMEDOUT after `timeout`, with the signal's reason when that comes first.
 * Whoever has got it need not handle its failures: each ends it, as its event `close` tells.
 */
export function dial(where: NetConnectOpts, { timeout, signal }: DialOptions = {}): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const socket = connect(where);
    const abandon = () => socket.destroy(signal?.reason);
    signal?.addEventListener('abort', abandon, { once: true });
    if (timeout !== undefined) {
      const error = Object.assign(new Error('it does not answer'), { code: 'ETIMEDOUT' });
      socket.setTimeout(timeout, () => socket.destroy(error));
    }
    socket.once('connect', () => {
      signal?.removeEventListener('abort', abandon);
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      resolve(socket);
    });
    socket.on('error', reject);
    socket.once('close', () => reject(Object.assign(new Error('it hung up'), { code: 'ECONNRESET' })));
  });
}
