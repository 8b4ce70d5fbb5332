/** Bytes from here, and for here, joined to a TCP port of a node. */
import type { Readable, Writable } from 'node:stream';
import type { Connection } from '@walt/client/connection';
import { ByteStream, frameError } from '@walt/client/stream';

export const SSH_PORT = 22;

/**
 * Ends when the node ends the connection, or `output` is gone. Throws what the server says, as that the node is off, and when the
 * server goes.
 */
export async function relayToNode(
  connection: Connection,
  { node, port }: { node: string; port: number },
  { input, output }: { input: Readable; output: Writable },
): Promise<void> {
  const stream = new ByteStream(
    connection,
    '/stream/tcp',
    { node, port },
    {
      onData: (bytes) => stream.passOn(bytes, output),
      onOpen: () => input.resume(),
    },
  );
  output.once('close', () => stream.close());
  input.on('data', (bytes: Buffer) => stream.sendFrom(input, bytes));
  input.on('end', () => stream.control({ type: 'end' }));
  // Nothing is read before the relay takes it.
  input.pause();
  const end = await stream.ended;
  if (end?.type === 'error') throw frameError(end);
  // Else ssh would end without a word.
  if (stream.lost) throw connection.route.lost();
}
