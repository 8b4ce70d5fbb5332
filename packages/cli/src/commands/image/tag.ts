import { connect } from '@walt/client/connection';
import { shortDigest } from '@walt/contract/values/digests';
import { Command } from 'commander';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { jsonOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<version>', 'image or version: NAME, NAME@{2} (two steps back), NAME@sha256:…')
    .argument('<new-name>', 'name in your own set that points to it')
    .description(
      'Give an image, or an older version of it, a name. Takes no space. With the name of the image itself, that\n' +
        'goes back to the older version.',
    )
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (image: string, newName: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const tagged = await confirming(options, (yes) => client.image.duplicate({ image, newName, yes }));
      if (options.json) return printJson(tagged);
      print(`${tagged.name} is ${image} now (${shortDigest(tagged.digest)}).`);
      const { outdated } = await client.image.details({ image: tagged.fullName });
      await offerReboot(client, outdated, 'another version');
    });
}
