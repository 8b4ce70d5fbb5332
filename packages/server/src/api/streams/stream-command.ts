import { outputChannels, type ServerFrame } from '@walt/contract';
import type { WebSocket } from 'ws';
import type { RunningCommand } from '../../images/index.ts';
import { receiveAll, sendAll } from './pump.ts';

/**
 * Joins a WebSocket and a command. Answers its exit status as the last frame, with what `save` made of a success, or nothing when
 * the client left first. In all cases the command is over afterwards.
 */
export async function serveCommand(
  client: WebSocket,
  { run, save }: RunningCommand,
): Promise<ServerFrame | undefined> {
  const left = new Promise<undefined>((resolve) => {
    if (client.readyState !== client.OPEN) resolve(undefined);
    client.once('close', () => resolve(undefined));
  });
  try {
    receiveAll(client, run.stdin, (frame) => {
      if (frame.type === 'end') run.stdin.end();
    });
    // The client holds its input back until the command can take it.
    client.send(Buffer.of(outputChannels.stdout), { binary: true });
    client.resume();
    const printed = Promise.all([
      sendAll(run.stdout, client, outputChannels.stdout),
      sendAll(run.stderr, client, outputChannels.stderr),
    ]);
    const ended = printed.then(() => run.exited);
    ended.catch(() => {});
    const status = await Promise.race([ended, left]);
    if (status === undefined) return undefined;
    const note = run.note();
    return {
      type: 'exit',
      status,
      ...(save && status === 0 && { saved: await save() }),
      ...(note && { note }),
    };
  } finally {
    await run.end();
  }
}
