import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption, SET, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { conjugate, nameList } from '../../terminal/human.ts';
import { print, printJson } from '../../terminal/output.ts';

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
