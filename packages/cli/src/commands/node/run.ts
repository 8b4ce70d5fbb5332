import { connect } from '@walt/client/connection';
import type { Command } from 'commander';
import { jsonOption, setCommand } from '../../options.ts';
import { reachNode, reachNodes } from '../../ssh/access.ts';
import { sshFiles } from '../../ssh/files.ts';
import { shellLine } from '../../ssh/remote-line.ts';
import { overallStatus, runOnNodes } from '../../ssh/run.ts';
import { collectRuns, prefixedLines } from '../../ssh/run-output.ts';
import { runOnTerminal } from '../../ssh/spawn.ts';
import { printJson } from '../../terminal/output.ts';

interface Options {
  term?: true;
  json?: true;
}

export function command(): Command {
  return setCommand()
    .argument('<command...>', 'one word is a line of shell; several are passed on as they are')
    .option('--term', 'run it on your terminal, as top or vim need (one node only)')
    .addOption(jsonOption())
    .description(
      'Run a command on nodes, on all at the same time, by SSH. Ends with its exit status; with several nodes, with\n' +
        'the highest one. With one node, what is piped in reaches the command. ctrl-c ends it on the nodes, too.',
    )
    .passThroughOptions()
    .action(async (set: string, given: string[], { term, json }: Options) => {
      const words = given[0] === '--' ? given.slice(1) : given;
      const { client } = connect();
      if (term) {
        const node = await reachNode(client, set);
        const args = ['-F', sshFiles().config, '-t', '--', node.name, shellLine(words)];
        process.exitCode = await runOnTerminal('ssh', args);
        return;
      }
      const nodes = (await reachNodes(client, set)).map(({ name }) => name);
      const [only, ...more] = nodes;
      if (only !== undefined && more.length === 0 && !json && !process.stdin.isTTY) {
        const args = ['-F', sshFiles().config, '-T', '--', only, shellLine(words)];
        process.exitCode = await runOnTerminal('ssh', args);
        return;
      }
      const collected = json ? collectRuns() : undefined;
      const runs = await runOnNodes(nodes, words, collected ?? prefixedLines(nodes));
      process.exitCode = overallStatus(runs);
      if (collected) printJson({ status: overallStatus(runs), nodes: collected.results(runs) });
    });
}
