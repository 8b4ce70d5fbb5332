import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<device>', 'name of the device')
    .description(
      'Forget a device: all that the platform keeps of it is deleted. One that is on comes back by itself.',
    )
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (name: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const forgotten = await confirming(options, (yes) => client.device.forget({ name, yes }));
      if (options.json) return printJson(forgotten);
      print(`${name} is forgotten.`);
    });
}
