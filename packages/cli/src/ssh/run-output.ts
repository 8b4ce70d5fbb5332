/** What `walt node run` shows of many nodes' output. */
import { INTERRUPTED } from '../errors.ts';
import { type Colour, type Paint, painter, wantsColours } from '../terminal/style.ts';
import { renderTable } from '../terminal/table.ts';
import { terminalText } from '../terminal/visible.ts';
import { type NodeRun, type RunSinks, UNREACHED } from './run.ts';

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

/** How each ended: a line for each exit status, the highest last. */
export function statusTable(runs: readonly NodeRun[], paint: Paint): string {
  const groups = [...Map.groupBy(runs, ({ status }) => status)].toSorted(([a], [b]) => a - b);
  return renderTable(
    groups,
    [
      { header: 'STATUS', value: ([status]) => String(status), align: 'right' },
      { header: 'COUNT', value: ([, group]) => String(group.length), align: 'right' },
      { header: 'NODES', value: ([status, group]) => names(status, group) },
      { header: '', value: ([status]) => MEANINGS[status] ?? '' },
    ],
    paint,
  );
}

/** Those that failed as a set, for the next command. */
function names(status: number, runs: readonly NodeRun[]): string {
  const all = runs.map(({ node }) => node);
  return status === 0 && all.length > MANY ? '' : all.join(',');
}
const MANY = 10;

const MEANINGS: Readonly<Record<number, string>> = {
  [INTERRUPTED]: 'was ended, or not begun',
  [UNREACHED]: 'ssh did not reach it, or lost it',
};

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
