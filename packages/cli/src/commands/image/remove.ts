import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { humanSize } from '../../terminal/human.ts';
import { print, printJson } from '../../terminal/output.ts';

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
      const { keepDays, size } = result;
      if (keepDays === 0) return;
      const days = keepDays === 1 ? 'a day' : `${keepDays} days`;
      const takes = size === 0 ? '' : ` It takes ${humanSize(size)} of disk until then.`;
      print(`For ${days}, \`walt image undo ${image}\` brings it back.${takes}`);
      if (size > 0) print(`\`walt image prune ${image}\` frees them now.`);
    });
}
