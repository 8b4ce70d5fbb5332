import { connect } from '@walt/client/connection';
import type { Client } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import type { Command } from 'commander';
import { tellBooted, waitForNodes } from '../../nodes/node-wait.ts';
import { tellUnheard } from '../../nodes/unheard.ts';
import { jsonOption, setCommand, waitOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { conjugate, nameList } from '../../terminal/human.ts';
import { print, printJson } from '../../terminal/output.ts';

interface Options extends YesOption {
  wait?: true;
  json?: true;
}

export function command(): Command {
  return setCommand()
    .argument('<image>', 'image to boot, or "default" for the default image (the nodes are free then)')
    .description('Make nodes boot an image, from now on. They reboot at once.')
    .addOption(waitOption())
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (set: string, image: string, options: Options) => {
      const { client } = connect();
      const result = await confirming(options, (yes) => client.node.boot({ set, image, yes }));
      if (!options.json) tell(result);
      if (options.wait) await waitForNodes(client, result.nodes.join(','));
      if (options.json) return printJson(result);
      if (options.wait) tellBooted(result.nodes);
    });
}

function tell({ nodes, image, digest, unheard }: Awaited<ReturnType<Client['node']['boot']>>): void {
  const act =
    unheard.length === 0 ? conjugate(nodes, 'reboots', 'reboot') : conjugate(nodes, 'boots', 'boot');
  print(`${nameList(nodes)} ${act} into ${image} (${shortDigest(digest)}).`);
  tellUnheard(unheard);
}
