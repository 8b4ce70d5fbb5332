/** What the server sends during a build: messages whose first byte is their channel (contract, cross.ts). */
import type { CrossEvent } from '@walt/contract';
import { crossChannels as channels } from '@walt/contract/values/wire';

export interface ChannelHandlers<Event> {
  onEvent: (event: Event) => void;
  onOutput: (to: 'stdout' | 'stderr', bytes: Buffer) => void;
  onFiles: (bytes: Buffer) => void;
}

/** Hands a message on to the one that it is for. */
export function dispatch<Event = CrossEvent>(message: Buffer, handlers: ChannelHandlers<Event>): void {
  const bytes = message.subarray(1);
  const [channel] = message;
  if (channel === channels.control) handlers.onEvent(JSON.parse(bytes.toString('utf8')) as Event);
  else if (channel === channels.stdout) handlers.onOutput('stdout', bytes);
  else if (channel === channels.stderr) handlers.onOutput('stderr', bytes);
  else if (channel === channels.files) handlers.onFiles(bytes);
}
