import type { Readable, Writable } from 'node:stream';
import type { JobEnd, JobEvent } from '@walt/contract';
import type { Printed, TerminalSize } from '../containers/index.ts';

/** Who has attached to a job: gives it bytes, and takes what comes of it. */
export interface JobClient {
  /** Tells that the job takes bytes now. Answers what the client sends, until it has sent all; fails when it leaves before. */
  input(): Readable;
  /** Takes what the job prints; resolves at its end. */
  output(to: Printed['to'], stream: Readable): Promise<void>;
  /** As `output`, of what was printed to both: in its order. */
  printed(stream: Readable & AsyncIterable<Printed>): Promise<void>;
  /** Takes a tar of files for the client's folder. Throws when the tar breaks off. */
  files(tar: Readable): Promise<void>;
  tell(event: Exclude<JobEvent, { type: 'ready' }>): void;
  /** Of the client's terminal, when it attached. */
  size: TerminalSize;
  /** Is told each later size; of those before, the last. */
  onResize(follow: (size: TerminalSize) => Promise<void>): void;
  /** Aborted when the client has left. */
  signal: AbortSignal;
}

/**
 * Runs with its client until it has ended, or ends itself when the client leaves. Answers its last word to the client, undefined when
 * there is nobody to hear it. Throws what the client is told instead.
 */
export type Job = (client: JobClient) => Promise<JobEnd | undefined>;

/** Hands on what the client sends. What nobody takes any more is dropped: who sends it must not wait. */
export function feed(input: Readable, sink: Writable, options?: { end: boolean }): void {
  input.pipe(sink, options);
  const drop = () => input.unpipe(sink).resume();
  sink.on('close', drop);
  if (sink.destroyed) drop();
}

/** The same client, who is also taken for gone when `signal` is aborted: then he is told its reason. */
export function whoLeavesBy<Client extends Pick<JobClient, 'input' | 'signal'>>(
  client: Client,
  signal: AbortSignal,
): Client {
  const input = () => {
    const sent = client.input();
    signal.addEventListener('abort', () => sent.destroy(signal.reason), { once: true });
    return sent;
  };
  return { ...client, input, signal };
}

/** What `work` comes to, or undefined as soon as the client has left; then its failure concerns nobody any more. */
export function untilLeft<T>({ signal }: JobClient, work: Promise<T>): Promise<T | undefined> {
  work.catch(() => {});
  const left = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined));
  });
  return Promise.race([work, left]);
}
