/** What `walt node run` shows of many nodes' output. */
import { type Colour, painter, wantsColours } from '../terminal/style.ts';
import { terminalText } from '../terminal/visible.ts';
import type { NodeRun, RunSinks } from './run.ts';

const COLOURS: readonly Colour[] = ['cyan', 'green', 'yellow', 'magenta', 'blue'];

/** `node: line`, each node in its colour on a terminal; of a single node just its lines. */
export function prefixedLines(nodes: readonly string[]): RunSinks {
  const paints = {
    stdout: painter(wantsColours(process.stdout)),
    stderr: painter(wantsColours(process.stderr)),
  };
  const colours = new Map(nodes.map((node, index) => [node, COLOURS[index % COLOURS.length] ?? 'cyan']));
  return {
    line: (node, stream, line) => {
      // What a command on a node prints is shown as it is, as under ssh.
      const prefix =
        nodes.length === 1 ? '' : terminalText(paints[stream](`${node}:`, colours.get(node) ?? 'cyan'));
      process[stream].write(prefix === '' ? `${line}\n` : `${prefix} ${line}\n`);
    },
  };
}

/** Keeps all output, for `--json`. */
export function collectRuns(): RunSinks & {
  results: (runs: readonly NodeRun[]) => (NodeRun & { stdout: string; stderr: string })[];
} {
  const texts = { stdout: new Map<string, string>(), stderr: new Map<string, string>() };
  return {
    line: (node, stream, line) => {
      texts[stream].set(node, `${texts[stream].get(node) ?? ''}${line}\n`);
    },
    results: (runs) =>
      runs.map((run) => ({
        ...run,
        stdout: texts.stdout.get(run.node) ?? '',
        stderr: texts.stderr.get(run.node) ?? '',
      })),
  };
}
