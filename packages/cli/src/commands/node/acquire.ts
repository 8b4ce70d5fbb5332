import { Command } from 'commander';
import { connect } from '../../client.ts';
import { conjugate, nameList } from '../../human.ts';
import { jsonOption, SET } from '../../options.ts';
import { print, printJson } from '../../output.ts';

export function command(): Command {
  return new Command()
    .argument('<set>', SET)
    .description('Take free nodes: they boot a default image of your own set, which makes them yours.')
    .addOption(jsonOption())
    .action(async (set: string, options: { json?: true }) => {
      const { nodes } = await connect().client.node.acquire({ set });
      if (options.json) return printJson({ nodes });
      print(
        `${nameList(nodes)} ${conjugate(nodes, 'is', 'are')} yours now and ${conjugate(nodes, 'reboots', 'reboot')}.`,
      );
    });
}
