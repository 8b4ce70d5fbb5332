import { StringDecoder } from 'node:string_decoder';
import { ExternalError } from '../errors.ts';
import { Lines, type ProgramOptions, streamProgram } from './stream-program.ts';

export interface ExecOptions extends ProgramOptions {
  /** Text for standard input; without it, standard input is empty. */
  input?: string | Uint8Array;
  /** Of what it prints; `latin1`: one character per byte, for names that need not be UTF-8. Default: utf8. */
  encoding?: 'utf8' | 'latin1';
  /** Called for each line on standard output as it comes. */
  onStdoutLine?: (line: string) => void;
}

export interface ExecResult {
  /** Null: it was killed by somebody else. */
  status: number | null;
  stdout: string;
  /** The end of it. */
  stderr: string;
}

/** Bytes of output of a program that is run for its answer: more is a failure, unless the caller says otherwise. */
const MAX_OUTPUT = 64 * 1024 * 1024;

/** Runs a program to its end and answers its standard output. Throws ExternalError when it fails. */
export async function run(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
  const result = await attempt(argv, options);
  if (result.status !== 0) throw new ExternalError(argv, result.status, result.stderr || result.stdout);
  return result.stdout;
}

/**
 * Runs a program to its end, whatever its exit status. Throws ExternalError only when it cannot be started, takes longer than
 * `timeout` or prints more than `maxOutput` (64 MiB); the signal's reason when it is aborted. It has ended by then.
 */
export async function attempt(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  if (argv.length === 0) throw new TypeError('empty argument array');
  const { input, onStdoutLine, encoding, ...others } = options;
  const stdin = typeof input === 'string' ? Buffer.from(input) : input;
  const program = streamProgram(argv, { maxOutput: MAX_OUTPUT, ...others, stdin, accept: 'any' });
  const lines = onStdoutLine && new Lines(onStdoutLine);
  const decoder = new StringDecoder(encoding);
  const parts: string[] = [];
  for await (const chunk of program.stdout as AsyncIterable<Buffer>) {
    const text = decoder.write(chunk);
    parts.push(text);
    lines?.write(text);
  }
  lines?.end();
  const status = await program.ended;
  return { status, stdout: parts.join('') + decoder.end(), stderr: program.complaint() };
}
