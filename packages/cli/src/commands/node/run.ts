import { connect } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import type { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { jsonOption, parallelOption, setCommand } from '../../options.ts';
import { reachNode, reachNodes } from '../../ssh/access.ts';
import { sshFiles } from '../../ssh/files.ts';
import { shellLine } from '../../ssh/remote-line.ts';
import { overallStatus, PARALLEL, runOnNodes } from '../../ssh/run.ts';
import { collectRuns, prefixedLines, statusTable } from '../../ssh/run-output.ts';
import { runOnTerminal } from '../../ssh/spawn.ts';
import { humanSize } from '../../terminal/human.ts';
import { paintRemarks, printJson, remark } from '../../terminal/output.ts';

interface Options {
  parallel: number;
  stdin?: true;
  term?: true;
  json?: true;
}

export function command(): Command {
  return setCommand()
    .argument('<command...>', 'one word is a line of shell; several are passed on as they are')
    .option('--term', 'run it on your terminal, as top or vim need (one node only)')
    .addOption(jsonOption())
    .option('--stdin', 'what is piped in goes to each node, once it has come to its end')
    .addOption(parallelOption(PARALLEL))
    .description(
      'Run a command on nodes, on all at the same time, by SSH. Ends with its exit status; with several nodes, with\n' +
        'the highest one, and a table of all. With one node, what is piped in reaches the command; with several, only\n' +
        'with --stdin. ctrl-c ends it on the nodes, too.',
    )
    .passThroughOptions()
    .action(async (set: string, given: string[], { term, json, stdin, parallel }: Options) => {
      const words = given[0] === '--' ? given.slice(1) : given;
      if (words[0]?.startsWith('-')) {
        throw new UsageError(
          `No command begins as ${JSON.stringify(words[0])} does.`,
          'Options come before the nodes: `walt node run --json SET COMMAND`.',
        );
      }
      const connection = connect();
      if (term) {
        const node = await reachNode(connection.client, set);
        process.exitCode = await runOnTerminal('ssh', [
          '-F',
          sshFiles().config,
          '-t',
          '--',
          node.name,
          shellLine(words),
        ]);
        return;
      }
      const nodes = (await reachNodes(connection.client, set)).map(({ name }) => name);
      const [only = '', ...more] = nodes;
      if (more.length === 0 && !json && !stdin && !process.stdin.isTTY) {
        process.exitCode = await runOnTerminal('ssh', [
          '-F',
          sshFiles().config,
          '-T',
          '--',
          only,
          shellLine(words),
        ]);
        return;
      }
      const collected = json ? collectRuns() : undefined;
      const sinks = collected ?? prefixedLines(nodes);
      const input = stdin ? await wholeInput() : undefined;
      const runs = await runOnNodes(connection, nodes, { words, input, parallel, sinks });
      process.exitCode = overallStatus(runs);
      if (collected) printJson({ status: overallStatus(runs), nodes: collected.results(runs) });
      else if (more.length > 0) remark(`\n${statusTable(runs, paintRemarks()).trimEnd()}`);
    });
}

/** Bytes. */
const MAX_INPUT = 64 * 1024 * 1024;

/** All that is piped in: nodes take it at their own pace. */
async function wholeInput(): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of process.stdin) {
    pieces.push(piece as Buffer);
    size += (piece as Buffer).length;
    if (size <= MAX_INPUT) continue;
    throw new AbortError(
      'INVALID',
      `More than ${humanSize(MAX_INPUT)} came on standard input.`,
      'Copy it to the nodes first: `walt node cp FILE SET:/PATH`.',
    );
  }
  return Buffer.concat(pieces);
}
