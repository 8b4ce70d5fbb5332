/** `walt image run`: a command in an image, joined to our standard streams. */
import type { Connection } from '@walt/client/connection';
import { flushed } from '@walt/client/drain';
import type { JobEnd } from '@walt/contract';
import { confirming, type YesOption } from '../terminal/confirm.ts';
import { ClientJob } from './job.ts';

export interface RunOptions extends YesOption {
  image: string;
  /** Program and arguments. */
  command: readonly string[];
  /** Name to save under when the command succeeds. */
  saveAs?: string;
}

/** Runs it to its end. Throws the error that the server tells, or UNAVAILABLE when the connection breaks. */
export async function runInImage(connection: Connection, options: RunOptions): Promise<JobEnd> {
  const { image, command, saveAs } = options;
  const { job: id } = await confirming(options, (yes) =>
    connection.client.image.run.open({ image, command: [...command], ...(saveAs && { saveAs, yes }) }),
  );
  const { stdin, stdout, stderr } = process;
  const job = new ClientJob(connection, id, {
    sinks: { stdout, stderr },
    send: async () => void stdin.resume(),
    lost: [
      `The connection to the command in ${image} was lost: it is ended, and nothing of it is kept.`,
      'Run it again.',
    ],
  });
  const onInput = (bytes: Buffer) => job.stream.sendFrom(stdin, bytes);
  const onEnd = () => job.stream.control({ type: 'end' });
  stdin.on('data', onInput).pause();
  stdin.on('end', onEnd);
  try {
    return await job.end();
  } finally {
    stdin.off('data', onInput).off('end', onEnd).pause();
    for (const sink of [stdout, stderr]) await flushed(sink);
  }
}
