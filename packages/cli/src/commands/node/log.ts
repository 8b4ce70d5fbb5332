import { connect } from '@walt/client/connection';
import { BOOTS_KEPT } from '@walt/contract/values/boots';
import { Command } from 'commander';
import { renderBoots } from '../../nodes/boot-log.ts';
import { jsonOption, wholeNumber } from '../../options.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';

interface Options {
  count: number;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('<node>', 'node')
    .description(
      `List the last boots of a node, newest first: what ran, why it booted, how long each step took.\n${BOOTS_KEPT} boots of each node are remembered.`,
    )
    .option('-n, --count <number>', 'so many of them', wholeNumber(1), 10)
    .addOption(jsonOption())
    .action(async (name: string, { count, json }: Options) => {
      const boots = await connect().client.node.log({ name, count: Math.min(count, BOOTS_KEPT) });
      if (json) return printJson(boots);
      print(renderBoots(boots, paintOutput()));
    });
}
