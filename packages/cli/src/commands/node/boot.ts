import { Command } from 'commander';
import { connect } from '../../client.ts';
import { confirming, type YesOption } from '../../confirm.ts';
import { conjugate, nameList, shortDigest } from '../../human.ts';
import { jsonOption, SET, yesOption } from '../../options.ts';
import { print, printJson } from '../../output.ts';

export function command(): Command {
  return new Command()
    .argument('<set>', SET)
    .argument('<image>', 'image to boot, or "default" for the default image (the nodes are free then)')
    .description('Make nodes boot an image, from now on. They reboot at once.')
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (set: string, image: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const result = await confirming(options, (yes) => client.node.boot({ set, image, yes }));
      if (options.json) return printJson(result);
      const { nodes, digest } = result;
      print(
        `${nameList(nodes)} ${conjugate(nodes, 'reboots', 'reboot')} into ${result.image} (${shortDigest(digest)}).`,
      );
    });
}
