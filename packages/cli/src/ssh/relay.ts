/** Standard input and output joined to a TCP port of a node. */
import type { Connection } from '@walt/client/connection';
import { ByteStream, frameError } from '@walt/client/stream';
import { connectionLost } from '@walt/client/transport';

/** Ends when the node ends the connection. Throws what the server says, as that the node is off, and when the server goes. */
export async function relayToNode(connection: Connection, node: string, port: number): Promise<void> {
  const { stdin, stdout } = process;
  const stream = new ByteStream(
    connection,
    '/stream/tcp',
    { node, port },
    {
      onData: (bytes) => stream.passOn(bytes, stdout),
      onOpen: () => stdin.resume(),
    },
  );
  stdin.on('data', (bytes: Buffer) => stream.sendFrom(stdin, bytes));
  stdin.on('end', () => stream.control({ type: 'end' }));
  // Nothing is read before the relay takes it.
  stdin.pause();
  const end = await stream.ended;
  stdin.destroy();
  if (end?.type === 'error') throw frameError(end);
  // Else ssh would end without a word.
  if (stream.lost) throw connectionLost();
}
