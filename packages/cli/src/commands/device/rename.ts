import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<device>', 'its name now')
    .argument('<new-name>', 'its new name')
    .description('Rename a device, be it a node or not.')
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (name: string, newName: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const device = await confirming(options, (yes) => client.device.rename({ name, newName, yes }));
      if (options.json) return printJson(device);
      print(`${name} is called ${device.name} now.`);
    });
}
