import { Command } from 'commander';
import { connect } from '../../client.ts';
import { confirming, type YesOption } from '../../confirm.ts';
import { conjugate, nameList } from '../../human.ts';
import { jsonOption, SET, yesOption } from '../../options.ts';
import { print, printJson } from '../../output.ts';

export function command(): Command {
  return new Command()
    .argument('<set>', SET)
    .description(
      'Remove virtual nodes with all that they stored in /persist, or forget real nodes that are off.',
    )
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (set: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const { nodes } = await confirming(options, (yes) => client.node.remove({ set, yes }));
      if (options.json) return printJson({ nodes });
      print(`${nameList(nodes)} ${conjugate(nodes, 'is', 'are')} removed.`);
    });
}
