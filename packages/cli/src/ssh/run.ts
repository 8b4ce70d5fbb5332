/** One command on many nodes at the same time. */
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Connection } from '@walt/client/connection';
import { INTERRUPTED } from '../errors.ts';
import { terminalText } from '../terminal/visible.ts';
import { openDoor } from './door.ts';
import { mapPool } from './pool.ts';
import { watchedLine } from './remote-line.ts';
import { exitStatus, start } from './spawn.ts';

/** As many at once as sshd and two processors start without visible delay. */
export const PARALLEL = 32;
/** Milliseconds in which commands that were told to end may do so: a node that hangs does not keep anybody from leaving. */
const END_LIMIT = 5000;
/** Characters of a line; a longer one is passed on in pieces. */
const MAX_LINE = 1024 * 1024;

export interface RunSinks {
  /** A whole line of one node, without its newline. */
  line: (node: string, stream: 'stdout' | 'stderr', line: string) => void;
}

/** Exit status of ssh when it could not reach a node. */
export const UNREACHED = 255;

export interface NodeRun {
  node: string;
  /** Exit status of the command, or UNREACHED. */
  status: number;
}

export interface RunOptions {
  words: readonly string[];
  /** Standard input of the command, on each node. */
  input?: Buffer | undefined;
  parallel: number;
  sinks: RunSinks;
}

/**
 * Runs the command on each node, on `parallel` of them at a time. SIGINT and SIGTERM end the commands on the nodes too; what had
 * not begun is left out.
 */
export async function runOnNodes(
  connection: Connection,
  nodes: readonly string[],
  { words, input, parallel, sinks }: RunOptions,
): Promise<NodeRun[]> {
  const line = watchedLine(words, input?.length);
  using stop = stopOnSignals();
  return await mapPool(nodes, parallel, async (node) => {
    if (stop.wanted) return { node, status: INTERRUPTED };
    await using door = await openDoor(connection, node, (sentence) =>
      sinks.line(node, 'stderr', terminalText(`walt: ${sentence}`)),
    );
    // Its own process group: ctrl-c must reach the node's command before it takes the connection away.
    const args = ['-F', door.config, '-T', '--', node, line];
    const child = start('ssh', args, { detached: true });
    using _running = stop.watch(child);
    const reading = [child.stdout, child.stderr].map((stream, index) =>
      eachLine(stream, (text) => sinks.line(node, index === 0 ? 'stdout' : 'stderr', text)),
    );
    // A command that reads not all of it is none of our failures.
    child.stdin?.on('error', () => {});
    if (input) child.stdin?.write(input);
    const status = await exitStatus(child, 'ssh');
    await Promise.all(reading);
    return { node, status: stop.wanted ? INTERRUPTED : status };
  });
}

interface Stop extends Disposable {
  readonly wanted: boolean;
  /** Counts an ssh among those that are to end, until it is disposed of. */
  watch(child: ChildProcess): Disposable;
}

function stopOnSignals(): Stop {
  const running = new Set<ChildProcess>();
  let wanted = false;
  let limit: NodeJS.Timeout | undefined;
  const kill = () => {
    for (const child of running) child.kill();
  };
  const stop = () => {
    // Who asks twice does not want to wait.
    if (wanted) return kill();
    wanted = true;
    limit = setTimeout(kill, END_LIMIT);
    // The end of standard input is what ends the command on the node.
    for (const child of running) child.stdin?.destroy();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return {
    get wanted() {
      return wanted;
    },
    watch: (child) => {
      running.add(child);
      if (wanted) child.stdin?.destroy();
      return { [Symbol.dispose]: () => void running.delete(child) };
    },
    [Symbol.dispose]: () => {
      clearTimeout(limit);
      process.off('SIGINT', stop).off('SIGTERM', stop);
    },
  };
}

/** The remote status: the single node's own, else the highest. */
export function overallStatus(runs: readonly NodeRun[]): number {
  return Math.max(0, ...runs.map(({ status }) => status));
}

/** Calls `onLine` for each line, the last one also when no newline ends it. */
export async function eachLine(stream: Readable | null, onLine: (line: string) => void): Promise<void> {
  if (stream === null) return;
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length < MAX_LINE) continue;
    onLine(rest);
    rest = '';
  }
  rest += decoder.end();
  if (rest !== '') onLine(rest);
}
