import { connect } from '@walt/client/connection';
import { shortDigest } from '@walt/contract/values/digests';
import { Command } from 'commander';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { jsonOption } from '../../options.ts';
import { humanDate } from '../../terminal/human.ts';
import { print, printJson } from '../../terminal/output.ts';
import { visibleName } from '../../terminal/visible.ts';

export function command(): Command {
  return new Command()
    .argument('<image>', 'image whose last change is taken back; or one that was removed: it comes back')
    .description(
      'Take back the last change of an image: its name points to the version before. Nothing is lost, since the\n' +
        'undo is a change itself: done again, it takes back the undo.',
    )
    .addOption(jsonOption())
    .action(async (image: string, options: { json?: true }) => {
      const { client } = connect();
      const result = await client.image.undo({ image });
      if (options.json) return printJson(result);
      const { action, detail, user, at } = result.undone;
      const what = visibleName([action, detail].filter(Boolean).join(' '));
      print(`${result.image} is ${shortDigest(result.digest)} again.`);
      print(`Taken back: ${what}, by ${user}, ${humanDate(at)}.`);
      await offerReboot(client, result.nodes, 'another version');
    });
}
