import { crossChannels, type ServerFrame } from '@walt/contract';
import type { WebSocket } from 'ws';
import type { Caller } from '../../access/index.ts';
import type { ImageBuildClient, Services } from '../services.ts';
import { buildChannels } from './build-channels.ts';
import { sendAll } from './pump.ts';

/**
 * Runs a prepared build for the client at the other end of a WebSocket (contract, build.ts). The build ends when the client leaves.
 * Throws what the build throws: its last word to the client.
 */
export async function serveBuild(
  socket: WebSocket,
  caller: Caller,
  ticket: string,
  { images, nodes }: Services,
): Promise<ServerFrame> {
  const { say, ...common } = buildChannels(socket, nodes);
  const client: ImageBuildClient = {
    ...common,
    output: (to, stream) => sendAll(stream, socket, crossChannels[to]),
    progress: say,
  };
  await images.builds.run(caller.user, ticket, client);
  return { type: 'exit', status: 0 };
}
