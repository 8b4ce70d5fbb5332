import { type BuildEvent, crossChannels, type ServerFrame } from '@walt/contract';
import type { WebSocket } from 'ws';
import type { Caller } from '../access/index.ts';
import { fullName } from './image-calls.ts';
import { sendAll } from './pump.ts';
import type { ImageBuildClient, Services } from './services.ts';
import { inChannel, receiveSources } from './stream-cross.ts';

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
  const gone = new AbortController();
  const leave = () => gone.abort(new Error('the client has gone'));
  if (socket.readyState !== socket.OPEN) leave();
  socket.once('close', leave);
  // A paused WebSocket would not see the client leave while images are fetched.
  socket.resume();
  const say = (event: BuildEvent) => {
    if (socket.readyState === socket.OPEN)
      socket.send(inChannel(crossChannels.control, Buffer.from(JSON.stringify(event))));
  };
  const client: ImageBuildClient = {
    sources: () => {
      const sources = receiveSources(socket);
      say({ type: 'ready' });
      return sources;
    },
    output: (to, stream) => sendAll(stream, socket, crossChannels[to]),
    progress: (progress) => say(progress),
    saved: async (image, changed) => {
      const outdated = await nodes.outdated(fullName(image), image.digest);
      say({ type: 'saved', image: fullName(image), digest: image.digest, changed, nodes: [...outdated] });
    },
    signal: gone.signal,
  };
  await images.builds.run(caller.user, ticket, client);
  return { type: 'exit', status: 0 };
}
