/** An outside program whose output is read while it runs. It ends with its caller: by signal, in time, in bytes, and when the server dies. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { ExternalError } from '../errors.ts';

export interface ProgramOptions {
  cwd?: string | undefined;
  /** Added to the server's own environment. */
  env?: Record<string, string> | undefined;
  /** Ends the program when it is aborted; what waits for it then throws the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds after which the program is ended, which is a failure. Default: none. */
  timeout?: number | undefined;
  /** Bytes on standard output after which the program is ended, which is a failure. Default: none. */
  maxOutput?: number | undefined;
  /** Called for each line on standard error as it comes; one of more than 64 KiB comes in pieces. */
  onStderrLine?: ((line: string) => void) | undefined;
  /**
   * What the kernel sends it when the server dies. Default KILL; TERM for programs that leave something behind when they are
   * killed: what is left of them a second later is killed all the same (`supervise.sh`).
   */
  deathSignal?: 'KILL' | 'TERM' | undefined;
}

export interface StreamOptions extends ProgramOptions {
  /** All of standard input, or `pipe`: the caller writes to `stdin`. Default: it is empty. */
  stdin?: 'pipe' | Uint8Array | undefined;
  /** Exit statuses that are no failure. Default: 0; `any`: none is. */
  accept?: readonly number[] | 'any' | undefined;
}

export interface StreamedProgram {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Takes everything and forgets it unless `stdin` is `pipe`. An error of it need not be handled: `ended` tells the reason. */
  readonly stdin: Writable;
  /**
   * Ends when the program has ended well; fails with ExternalError, or the signal's reason, when it has not. Destroying it ends
   * the program. It must be read to its end, resumed or destroyed: a program whose output nobody takes does not end.
   */
  readonly stdout: Readable;
  /**
   * Exit status, null when somebody else killed it (only with `accept: 'any'`), once it has ended. Rejects as `stdout` fails.
   * Need not be awaited.
   */
  readonly ended: Promise<number | null>;
  /** The end of what it printed on standard error until now. */
  complaint(): string;
  /** SIGTERM, two seconds later SIGKILL. Safe to repeat. */
  kill(): void;
}

/** Characters of standard error that are kept: enough for the longest message. */
const MAX_COMPLAINT = 64 * 1024;
/** Characters of a line that is passed on; a longer one is cut in pieces. */
export const MAX_LINE = 64 * 1024;
/** Milliseconds for a program to end by itself after SIGTERM, and for its pipes to close once it is gone. */
const GRACE = 2_000;

/** Starts a program. Throws nothing: that it cannot be started is told by `stdout` and `ended`, as any other failure. */
export function streamProgram(argv: readonly string[], options: StreamOptions = {}): StreamedProgram {
  return new RunningStream(argv, options);
}

class RunningStream implements StreamedProgram {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly ended: Promise<number | null>;
  readonly #argv: readonly string[];
  readonly #options: StreamOptions;
  readonly #child: ChildProcess | undefined;
  readonly #settle = Promise.withResolvers<number | null>();
  #complaint = '';
  #printed = 0;
  /** Why it is being ended; the first reason counts. */
  #reason: { error: unknown } | undefined;
  #killing = false;
  #settled = false;
  #timers: NodeJS.Timeout[] = [];

  constructor(argv: readonly string[], options: StreamOptions) {
    this.#argv = argv;
    this.#options = options;
    this.ended = this.#settle.promise;
    this.ended.catch(() => {});
    this.stdout = new Readable({
      read: () => void this.#child?.stdout?.resume(),
      destroy: (error, done) => {
        this.#endFor(new ExternalError(this.#argv, null, 'nobody reads its output any more', 'ended'));
        done(error);
      },
    });
    // Who reads hears of it; where nobody does, it must not end the server.
    this.stdout.on('error', () => {});
    this.#child = options.signal?.aborted ? undefined : this.#spawn();
    this.stdin = this.#input();
    if (!this.#child) this.#finish(null, options.signal?.reason);
    else this.#watch(this.#child);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  // Bound, so that they may be taken out of the object.
  readonly complaint = (): string => this.#complaint;

  readonly kill = (): void => this.#endFor(new ExternalError(this.#argv, null, this.#complaint));

  #spawn(): ChildProcess | undefined {
    const { cwd, env, stdin, deathSignal = 'KILL' } = this.#options;
    const stdio: StdioOptions = [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'];
    // setpriv(1) becomes the program: 1 ms, and no process that a killed server leaves behind.
    const words = ['--pdeathsig', deathSignal, '--', ...this.#argv];
    try {
      return spawn('setpriv', words, { cwd, env: { ...process.env, ...env }, stdio });
    } catch (error) {
      // As with an argument that holds a zero byte, or more arguments than the kernel takes.
      this.#reason = { error: this.#notStarted(error) };
      return undefined;
    }
  }

  #input(): Writable {
    const { stdin: input } = this.#options;
    const stdin = this.#child?.stdin ?? new Writable({ write: (_chunk, _encoding, done) => done() });
    // A program that does not read its input closes the pipe: its exit status tells the rest.
    stdin.on('error', () => {});
    if (input instanceof Uint8Array) stdin.end(input);
    return stdin;
  }

  #watch(child: ChildProcess): void {
    const { signal, timeout } = this.#options;
    child.stdout?.on('data', (chunk: Buffer) => this.#take(chunk));
    child.stdout?.pause();
    for (const stream of [child.stdout, child.stderr]) stream?.on('error', () => {});
    this.#readComplaint(child);
    const aborted = () => this.#endFor(signal?.reason);
    signal?.addEventListener('abort', aborted, { once: true });
    if (timeout !== undefined) {
      const seconds = timeout / 1000;
      this.#timer(timeout, () => this.#endFor(this.#tooMuch(`it did not end in ${seconds} s`)));
    }
    child.once('error', (error) => {
      this.#reason ??= { error: this.#notStarted(error) };
      // Without a process there may be no `close`.
      if (child.pid === undefined) this.#closed(null);
    });
    // A process that it left behind may hold its pipes open for ever.
    child.once('exit', () => {
      if (this.#killing) this.#timer(GRACE, () => this.#closePipes());
    });
    child.once('close', (status: number | null) => this.#closed(status));
    this.#settle.promise.finally(() => signal?.removeEventListener('abort', aborted)).catch(() => {});
  }

  #take(chunk: Buffer): void {
    const { maxOutput } = this.#options;
    this.#printed += chunk.length;
    if (maxOutput !== undefined && this.#printed > maxOutput) {
      this.#endFor(this.#tooMuch(`it printed more than ${maxOutput} bytes`));
    }
    if (this.#reason) return; // what it still prints is thrown away, so that it can end
    if (!this.stdout.push(chunk)) this.#child?.stdout?.pause();
  }

  #readComplaint(child: ChildProcess): void {
    const { onStderrLine } = this.#options;
    const lines = onStderrLine && new Lines(onStderrLine);
    const decoder = new StringDecoder('utf8');
    child.stderr?.on('data', (chunk: Buffer) => {
      const text = decoder.write(chunk);
      this.#complaint = (this.#complaint + text).slice(-MAX_COMPLAINT);
      lines?.write(text);
    });
    child.stderr?.once('end', () => lines?.end());
  }

  /** Ends the program; `error` is what is told of it. */
  #endFor(error: unknown): void {
    if (this.#settled) return;
    this.#reason ??= { error };
    const child = this.#child;
    if (!child || this.#killing) return;
    this.#killing = true;
    child.kill('SIGTERM');
    this.#timer(GRACE, () => child.kill('SIGKILL'));
    // Nothing of its output is wanted any more, and a full pipe would keep it from ending.
    child.stdout?.resume();
    if (child.exitCode !== null || child.signalCode !== null) this.#timer(GRACE, () => this.#closePipes());
  }

  #closePipes(): void {
    this.#child?.stdout?.destroy();
    this.#child?.stderr?.destroy();
  }

  #closed(status: number | null): void {
    this.#finish(status, this.#reason ? this.#reason.error : this.#failure(status));
  }

  /** Undefined when it ended well. */
  #failure(status: number | null): ExternalError | undefined {
    const { accept = [0] } = this.#options;
    if (isNotFound(status, this.#complaint)) return this.#notStarted(this.#complaint.trim());
    if (accept === 'any' || (status !== null && accept.includes(status))) return undefined;
    return new ExternalError(this.#argv, status, this.#complaint);
  }

  #finish(status: number | null, error: unknown): void {
    if (this.#settled) return;
    const reason = error ?? this.#reason?.error;
    this.#settled = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.stdin.destroy();
    if (reason === undefined) {
      this.#settle.resolve(status);
      this.stdout.push(null);
    } else {
      this.#settle.reject(reason);
      this.stdout.destroy(reason instanceof Error ? reason : new Error(String(reason)));
    }
  }

  #timer(delay: number, act: () => void): void {
    this.#timers.push(setTimeout(act, delay));
  }

  #tooMuch(what: string): ExternalError {
    return new ExternalError(this.#argv, null, `${this.#complaint}\n${what}`, 'ended');
  }

  #notStarted(error: unknown): ExternalError {
    const reason = error instanceof Error ? error.message : String(error);
    return new ExternalError(this.#argv, null, reason, 'not started');
  }
}

/** setpriv(1) could not become the program. */
function isNotFound(status: number | null, complaint: string): boolean {
  return (status === 126 || status === 127) && complaint.startsWith('setpriv: failed to execute');
}

/** Cuts text into lines at each line feed or carriage return (progress bars use the latter), with a bound on their length. */
export class Lines {
  readonly #onLine: (line: string) => void;
  #pending = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(text: string): void {
    const lines = (this.#pending + text).split(/[\r\n]/);
    this.#pending = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
    if (this.#pending.length > MAX_LINE) this.end();
  }

  /** The last line may lack its end. */
  end(): void {
    if (this.#pending) this.#onLine(this.#pending);
    this.#pending = '';
  }
}
