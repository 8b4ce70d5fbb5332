import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<image>', 'image to copy; OWNER/NAME for one of another user')
    .argument('<new-name>', 'name of the copy in your own set')
    .description('Give an image a second name. Takes no space: both share all until one is changed.')
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (image: string, newName: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const copy = await confirming(options, (yes) => client.image.duplicate({ image, newName, yes }));
      if (options.json) return printJson(copy);
      print(`${copy.name} is a copy of ${image} now.`);
    });
}
