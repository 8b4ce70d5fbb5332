import { spawn } from 'node:child_process';
import { ExternalError } from './errors.ts';

export interface ExecOptions {
  /** Text for standard input; without it, standard input is empty. */
  input?: string | Uint8Array;
  cwd?: string;
  /** Added to the server's own environment. */
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** Milliseconds after which the program is killed; default: none. */
  timeout?: number;
  /** Called for each line on standard error as it comes. */
  onStderrLine?: (line: string) => void;
  /** Called for each line on standard output as it comes. */
  onStdoutLine?: (line: string) => void;
}

export interface ExecResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Keeps the end of a stream: enough for any error message or JSON answer, never a runaway log. */
const MAX_OUTPUT = 64 * 1024 * 1024;

/** Runs a program to its end and answers its standard output. Throws ExternalError when it fails. */
export async function run(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
  const result = await attempt(argv, options);
  if (result.status !== 0) throw new ExternalError(argv, result.status, result.stderr || result.stdout);
  return result.stdout;
}

/** Runs a program to its end, whatever its exit status. Throws ExternalError only when it cannot be started. */
export function attempt(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new TypeError('empty argument array');
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      signal: options.signal,
      timeout: options.timeout,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stdout = collect(child.stdout, options.onStdoutLine);
    const stderr = collect(child.stderr, options.onStderrLine);
    child.on('error', (error) => {
      if (options.signal?.aborted) reject(options.signal.reason);
      else reject(new ExternalError(argv, null, error.message));
    });
    child.on('close', (status) => resolve({ status, stdout: stdout(), stderr: stderr() }));
    // A program that does not read its input closes the pipe: its exit status tells the rest.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
  });
}

function collect(stream: NodeJS.ReadableStream, onLine?: (line: string) => void): () => string {
  let text = '';
  let pending = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    text = (text + chunk).slice(-MAX_OUTPUT);
    if (!onLine) return;
    const lines = (pending + chunk).split(/[\r\n]/);
    pending = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  stream.on('end', () => {
    if (pending) onLine?.(pending);
  });
  return () => text;
}
