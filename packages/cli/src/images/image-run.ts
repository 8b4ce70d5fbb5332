/** `walt image run`: a command in an image, joined to our standard streams. */
import type { Connection } from '@walt/client/connection';
import { flushed } from '@walt/client/drain';
import { AbortError } from '@walt/client/errors';
import { ByteStream, frameError } from '@walt/client/stream';
import type { SavedRun } from '@walt/contract';
import { outputChannels } from '@walt/contract/values/wire';
import { confirming, type YesOption } from '../terminal/confirm.ts';

export interface RunOptions extends YesOption {
  image: string;
  /** Program and arguments. */
  command: readonly string[];
  /** Name to save under when the command succeeds. */
  saveAs?: string;
}

export interface RunEnd {
  status: number;
  saved?: SavedRun;
  note?: string;
}

/** Runs it to its end. Throws the error that the server tells, or UNAVAILABLE when the connection breaks. */
export function runInImage(connection: Connection, options: RunOptions): Promise<RunEnd> {
  return confirming(options, (yes) => runOnce(connection, options, yes));
}

async function runOnce(
  connection: Connection,
  { image, command, saveAs }: RunOptions,
  yes: boolean,
): Promise<RunEnd> {
  const { stdin, stdout, stderr } = process;
  const query = {
    image,
    command: JSON.stringify(command),
    ...(saveAs && { saveAs, yes: yes ? ('true' as const) : ('false' as const) }),
  };
  let begun = false;
  const stream = new ByteStream(connection, '/stream/image-run', query, {
    onOpen: () => {},
    onData: (message) => {
      // The first message tells that the command takes input.
      if (!begun) stdin.resume();
      begun = true;
      stream.passOn(message.subarray(1), message[0] === outputChannels.stderr ? stderr : stdout);
    },
  });
  const onInput = (bytes: Buffer) => stream.sendFrom(stdin, bytes);
  const onEnd = () => stream.control({ type: 'end' });
  stdin.on('data', onInput).pause();
  stdin.on('end', onEnd);
  try {
    const end = await stream.ended;
    if (end === undefined) throw lost(image);
    if (end.type === 'error') throw frameError(end);
    return end;
  } finally {
    stdin.off('data', onInput).off('end', onEnd).pause();
    for (const sink of [stdout, stderr]) await flushed(sink);
  }
}

function lost(image: string): AbortError {
  return new AbortError(
    'UNAVAILABLE',
    `The connection to the command in ${image} was lost: it is ended, and nothing of it is kept.`,
    'Run it again.',
  );
}
