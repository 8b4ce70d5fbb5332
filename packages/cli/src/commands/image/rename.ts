import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<image>', 'its name now')
    .argument('<new-name>', 'its new name')
    .addOption(jsonOption())
    .action(async (image: string, newName: string, options: { json?: true }) => {
      const renamed = await connect().client.image.rename({ image, newName });
      if (options.json) return printJson(renamed);
      print(`${image} is called ${renamed.name} now.`);
    });
}
