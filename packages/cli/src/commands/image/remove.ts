import { Command } from 'commander';
import { connect } from '../../client.ts';
import { confirming, type YesOption } from '../../confirm.ts';
import { jsonOption, yesOption } from '../../options.ts';
import { print, printJson } from '../../output.ts';

export function command(): Command {
  return new Command()
    .argument('<image>', 'image to remove')
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (image: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const result = await confirming(options, (yes) => client.image.remove({ image, yes }));
      if (options.json) return printJson(result);
      print(`${result.removed} is removed.`);
    });
}
