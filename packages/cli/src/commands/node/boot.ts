import { connect } from '@walt/client/connection';
import { shortDigest } from '@walt/contract/values/digests';
import type { Command } from 'commander';
import { tellUnheard } from '../../nodes/unheard.ts';
import { jsonOption, setCommand, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { conjugate, nameList } from '../../terminal/human.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return setCommand()
    .argument('<image>', 'image to boot, or "default" for the default image (the nodes are free then)')
    .description('Make nodes boot an image, from now on. They reboot at once.')
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (set: string, image: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const result = await confirming(options, (yes) => client.node.boot({ set, image, yes }));
      if (options.json) return printJson(result);
      const { nodes, digest, unheard } = result;
      const act =
        unheard.length === 0 ? conjugate(nodes, 'reboots', 'reboot') : conjugate(nodes, 'boots', 'boot');
      print(`${nameList(nodes)} ${act} into ${result.image} (${shortDigest(digest)}).`);
      tellUnheard(unheard);
    });
}
