import { connect } from '@walt/client/connection';
import { shortDigest } from '@walt/contract/values/digests';
import { Command } from 'commander';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { jsonOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { print, printJson } from '../../terminal/output.ts';
import { follow } from '../../terminal/progress.ts';

export function command(): Command {
  return new Command()
    .argument('<image>', 'image whose layers become one')
    .argument('[new-name]', 'name in your own set for the result; without it, the image itself is replaced')
    .description(
      'Make one layer of all layers of an image. Its files and its configuration stay the same; what a layer hides\n' +
        'of those below is gone from the new version. The layers stay as long as other images or the history need them.',
    )
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (image: string, newName: string | undefined, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const name = newName === undefined ? {} : { newName };
      const result = await confirming(options, (yes) => follow(client.image.squash({ image, ...name, yes })));
      if (options.json) return printJson(result);
      if (result.changed) print(`${result.image} has one layer now (${shortDigest(result.digest)}).`);
      else print(`${image} has one layer already.`);
      await offerReboot(client, result.nodes);
    });
}
