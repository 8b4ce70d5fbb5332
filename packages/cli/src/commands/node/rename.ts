import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<node>', 'its name now')
    .argument('<new-name>', 'its new name')
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (name: string, newName: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const node = await confirming(options, (yes) => client.node.rename({ name, newName, yes }));
      if (options.json) return printJson(node);
      print(`${name} is called ${node.name} now.`);
    });
}
