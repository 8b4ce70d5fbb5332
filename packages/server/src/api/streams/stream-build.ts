import { crossChannels, type ServerFrame } from '@walt/contract';
import type { WebSocket } from 'ws';
import type { ImageBuildClient, Told } from '../../images/index.ts';
import { buildChannels } from './build-channels.ts';
import { sendAll } from './pump.ts';

/**
 * Runs a prepared build for the client at the other end of a WebSocket (contract, build.ts). The build ends when the client leaves.
 * Throws what the build throws: its last word to the client.
 */
export async function serveBuild(
  socket: WebSocket,
  build: (client: Told<ImageBuildClient>) => Promise<void>,
): Promise<ServerFrame> {
  const { say, ...common } = buildChannels(socket);
  await build({
    ...common,
    output: (to, stream) => sendAll(stream, socket, crossChannels[to]),
    progress: say,
  });
  return { type: 'exit', status: 0 };
}
