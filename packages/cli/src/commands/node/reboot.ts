import { connect } from '@walt/client/connection';
import type { Client } from '@walt/contract';
import type { Command } from 'commander';
import { tellBooted, waitForNodes } from '../../nodes/node-wait.ts';
import { heard, tellUnheard } from '../../nodes/unheard.ts';
import { jsonOption, setCommand, waitOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { conjugate, nameList } from '../../terminal/human.ts';
import { print, printJson } from '../../terminal/output.ts';

interface Options extends YesOption {
  hard?: true;
  wait?: true;
  json?: true;
}

export function command(): Command {
  return setCommand()
    .option('--hard', 'cut the power and give it back, do not ask the node')
    .addOption(waitOption())
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (set: string, options: Options) => {
      const { client } = connect();
      const hard = options.hard === true;
      const result = await confirming(options, (yes) => client.node.reboot({ set, hard, yes }));
      if (!options.json) tell(result);
      if (options.wait) await waitForNodes(client, result.nodes.join(','));
      if (options.json) return printJson(result);
      if (options.wait) tellBooted(result.nodes);
    });
}

function tell({ nodes, unheard }: Awaited<ReturnType<Client['node']['reboot']>>): void {
  const reboot = heard(nodes, unheard);
  if (reboot.length > 0) print(`${nameList(reboot)} ${conjugate(reboot, 'reboots', 'reboot')}.`);
  tellUnheard(unheard);
}
