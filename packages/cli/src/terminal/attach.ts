/** Joins the user's terminal, or a script's pipes, to a terminal on the server. */
import { flushed } from '@walt/client/drain';
import { type ByteStream, frameError, type StreamEnd, type StreamHandlers } from '@walt/client/stream';
import { escapeParser } from './escape.ts';
import { enterRawMode, terminalSize } from './terminal.ts';

export interface AttachOptions {
  open: (handlers: StreamHandlers) => ByteStream;
  /** ctrl-a d quits, ctrl-a w asks to be the one who types. */
  escape?: boolean;
  /** False: what is typed is for nobody. `take`: he has just asked to be the one who types. */
  mayType?: (take: boolean) => boolean;
  /** The other side's terminal follows the size of ours. */
  resize?: boolean;
  /** Standard input is a script's pipe: its end becomes the end of input on the other side's terminal. */
  piped?: boolean;
}

const NEWLINE = 0x0a;
/** ctrl-d: what a program on a terminal takes for the end of its input. */
const END_OF_INPUT = Buffer.from([0x04]);
/**
 * The same once more, on an empty line (ctrl-u). A shell that edits lines reads a ctrl-d that the terminal took while a command ran as
 * a zero, of which busybox makes a character; behind that, no ctrl-d ends it.
 */
const END_ONCE_MORE = Buffer.from([0x15, 0x04]);
/**
 * Milliseconds. A terminal forgets a ctrl-d that comes while nobody reads (the shell still starts, a command runs), and one that
 * a command reads does not reach the shell. There is no event for "the shell reads now", so it is repeated.
 */
const END_REPEATED = 250;

export type AttachEnd = { how: 'quit' } | { how: 'lost' } | { how: 'exit'; status: number };

/** Ends with the stream. Throws the error that the server sends as its last word. The terminal is restored in all cases. */
export async function attach(options: AttachOptions): Promise<AttachEnd> {
  const { stdin, stdout } = process;
  using terminal = stdin.isTTY ? enterRawMode() : undefined;
  let quit = false;
  const parse = options.escape ? escapeParser() : (bytes: Buffer) => ({ bytes, quit: false, take: false });
  const stream = options.open({
    onData: (bytes) => stream.passOn(bytes, stdout),
    onOpen: () => stdin.resume(),
  });
  let last = NEWLINE;
  let repeating: NodeJS.Timeout | undefined;
  const onInput = (typed: Buffer) => {
    const { bytes, quit: wanted, take } = parse(typed);
    last = bytes.at(-1) ?? last;
    if (take) stream.control({ type: 'take' });
    if ((take || bytes.length > 0) && options.mayType?.(take) !== false && bytes.length > 0)
      stream.sendFrom(stdin, bytes);
    if (!wanted) return;
    quit = true;
    stream.close();
  };
  const onEnd = () => {
    if (!options.piped) return;
    // In the middle of a line ctrl-d only sends what was typed so far.
    if (last !== NEWLINE) stream.send(Buffer.from([NEWLINE]));
    stream.send(END_OF_INPUT);
    repeating = setInterval(() => stream.send(END_ONCE_MORE), END_REPEATED);
  };
  const onResize = () => stream.control({ type: 'resize', ...terminalSize() });
  stdin.pause();
  stdin.on('data', onInput).pause();
  stdin.on('end', onEnd);
  if (options.resize) stdout.on('resize', onResize);
  try {
    const end = await stream.ended;
    if (quit || end === undefined) terminal?.reset();
    return describeEnd(end, quit);
  } finally {
    clearInterval(repeating);
    stdin.off('data', onInput).off('end', onEnd).pause();
    stdout.off('resize', onResize);
    await flushed(stdout);
  }
}

function describeEnd(end: StreamEnd, quit: boolean): AttachEnd {
  if (quit) return { how: 'quit' };
  if (end === undefined) return { how: 'lost' };
  if (end.type === 'error') throw frameError(end);
  return { how: 'exit', status: end.status };
}
