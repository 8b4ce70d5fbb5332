import { Command } from 'commander';
import { connect } from '../../client.ts';
import { confirming, type YesOption } from '../../confirm.ts';
import { conjugate, nameList } from '../../human.ts';
import { jsonOption, SET, yesOption } from '../../options.ts';
import { print, printJson } from '../../output.ts';

export function command(): Command {
  return new Command()
    .argument('<set>', SET)
    .description('Give nodes back: they boot the default image of their model, and anyone may take them.')
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (set: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const { nodes } = await confirming(options, (yes) => client.node.release({ set, yes }));
      if (options.json) return printJson({ nodes });
      print(
        `${nameList(nodes)} ${conjugate(nodes, 'is', 'are')} free now and ${conjugate(nodes, 'reboots', 'reboot')}.`,
      );
    });
}
