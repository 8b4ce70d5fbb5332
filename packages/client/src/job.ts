/** Jobs that a call has opened: builds, commands, shells (contract, jobs.ts). */
import type { JobEvent, StreamQuery } from '@walt/contract';
import { jobChannels as channels } from '@walt/contract/values/wire';
import type { Connection } from './connection.ts';
import { ByteStream } from './stream.ts';
import { parseRecord } from './transport.ts';

export interface JobHandlers {
  onOutput: (to: 'stdout' | 'stderr', bytes: Buffer) => void;
  /** The connection stands. */
  onOpen?: () => void;
  onEvent?: (event: JobEvent) => void;
  onFiles?: (bytes: Buffer) => void;
}

/** Attaches to a job: each message goes to the handler that it is for. */
export function attachToJob(
  connection: Connection,
  job: StreamQuery<'/stream/job'>,
  { onOutput, onOpen = () => {}, onEvent, onFiles }: JobHandlers,
): ByteStream {
  return new ByteStream(connection, '/stream/job', job, {
    onOpen,
    onData: (message) => {
      const bytes = message.subarray(1);
      const [channel] = message;
      if (channel === channels.event)
        onEvent?.(parseRecord(bytes.toString('utf8'), connection.route) as JobEvent);
      else if (channel === channels.stdout) onOutput('stdout', bytes);
      else if (channel === channels.stderr) onOutput('stderr', bytes);
      else if (channel === channels.files) onFiles?.(bytes);
    },
  });
}
