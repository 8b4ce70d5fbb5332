/** What the server sends during a build: messages whose first byte is their channel (contract, cross.ts). */
import type { CrossEvent, crossChannels } from '@walt/contract';

// A value import of the contract would load zod. The type keeps both in step.
const channels: typeof crossChannels = { control: 0, stdout: 1, stderr: 2, files: 3 };

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
