import { connect } from '@walt/client/connection';
import type { Command } from 'commander';
import { tellUnheard } from '../../../nodes/unheard.ts';
import { jsonOption, setCommand, yesOption } from '../../../options.ts';
import { confirming, type YesOption } from '../../../terminal/confirm.ts';
import { conjugate, nameList } from '../../../terminal/human.ts';
import { print, printJson } from '../../../terminal/output.ts';

export function command(): Command {
  return setCommand()
    .description('Give nodes back: they boot the default image of their model, and anyone may take them.')
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (set: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const { nodes, unheard } = await confirming(options, (yes) => client.node.release({ set, yes }));
      if (options.json) return printJson({ nodes, unheard });
      if (nodes.length === 0) return print('Free already: nothing was done.');
      const act = unheard.length === 0 ? ` and ${conjugate(nodes, 'reboots', 'reboot')}` : '';
      print(`${nameList(nodes)} ${conjugate(nodes, 'is', 'are')} free now${act}.`);
      tellUnheard(unheard);
    });
}
