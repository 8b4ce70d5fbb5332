import type { ServerFrame } from '@walt/contract';
import type { WebSocket } from 'ws';
import type { Terminal } from '../../images/index.ts';
import type { Log } from '../../platform/index.ts';
import { receiveAll, sendAll } from './pump.ts';

/** Joins a WebSocket and a terminal. Answers the shell's exit status as the last frame, or nothing when the client left first. */
export async function serveTerminal(
  client: WebSocket,
  terminal: Terminal,
  log: Log,
): Promise<ServerFrame | undefined> {
  const { stream } = terminal;
  const left = new Promise<undefined>((resolve) => {
    if (client.readyState !== client.OPEN) resolve(undefined);
    client.once('close', () => resolve(undefined));
  });
  receiveAll(client, stream, (frame) => {
    if (frame.type !== 'resize') return;
    // The shell may have ended in this very moment.
    terminal.resize(frame).catch((error: Error) => log.warn('resize failed', { error: error.message }));
  });
  client.resume();
  const ended = sendAll(stream, client).then(() => terminal.exited);
  try {
    const status = await Promise.race([ended, left]);
    return status === undefined ? undefined : { type: 'exit', status };
  } finally {
    // Detaches. Its end, or failure, concerns nobody any more.
    ended.catch(() => {});
    stream.destroy();
  }
}
