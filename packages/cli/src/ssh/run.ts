/** One command on many nodes at the same time. */
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { INTERRUPTED } from '../errors.ts';
import { sshFiles } from './files.ts';
import { mapPool } from './pool.ts';
import { watchedLine } from './remote-line.ts';
import { exitStatus, start } from './spawn.ts';

/** As many at once as sshd and two processors start without visible delay. */
const PARALLEL = 32;
export interface RunSinks {
  /** A whole line of one node, without its newline. */
  line: (node: string, stream: 'stdout' | 'stderr', line: string) => void;
}

export interface NodeRun {
  node: string;
  /** Exit status of the command; 255 when ssh could not reach the node. */
  status: number;
}

/** Runs the command on each node. SIGINT and SIGTERM end the commands on the nodes too; what had not begun is left out. */
export async function runOnNodes(
  nodes: readonly string[],
  words: readonly string[],
  sinks: RunSinks,
): Promise<NodeRun[]> {
  const { config } = sshFiles();
  const line = watchedLine(words);
  const running = new Set<ChildProcess>();
  let stopped = false;
  const stop = () => {
    for (const child of running) {
      // The end of standard input is what ends the command on the node; who asks twice does not want to wait for it.
      if (stopped) child.kill();
      else child.stdin?.end();
    }
    stopped = true;
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return await mapPool(nodes, PARALLEL, async (node) => {
      if (stopped) return { node, status: INTERRUPTED };
      // Its own process group: ctrl-c must reach the node's command before it takes the connection away.
      const child = start('ssh', ['-F', config, '-T', '--', node, line], { detached: true });
      running.add(child);
      const reading = [child.stdout, child.stderr].map((stream, index) =>
        eachLine(stream, (text) => sinks.line(node, index === 0 ? 'stdout' : 'stderr', text)),
      );
      child.stdin?.on('error', () => {});
      const status = await exitStatus(child, 'ssh');
      await Promise.all(reading);
      running.delete(child);
      return { node, status: stopped ? INTERRUPTED : status };
    });
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
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
  }
  rest += decoder.end();
  if (rest !== '') onLine(rest);
}
